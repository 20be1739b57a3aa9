using System.Text.Json.Nodes;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.Models;

namespace R1Serverless.Tests.ModelBuilder.Families;

/// <summary>A checkpoint with random weights: what its config.json says, and what that means.</summary>
/// <param name="Config">Beside the sizes, which are the model's.</param>
internal sealed record FamilyCase(string Config, NaiveModel Model)
{
    /// <summary>Tokens that config.json names, where the case doesn't.</summary>
    private const int Context = 128;

    public Dictionary<string, float[]> Weights { get; } = Draw(Model);

    /// <summary>Ids of a text of that length.</summary>
    public static long[] Ids(int length)
    {
        var random = new Random(length);
        return [.. Enumerable.Range(0, length).Select(_ => (long)random.Next(56))];
    }

    /// <summary>Writes config.json, tokenizer.json and the weights into a new folder.</summary>
    public string Write()
    {
        var folder = Directory.CreateTempSubdirectory("r1-family-").FullName;
        WriteConfig(folder);
        TinySafeTensors.Write(Path.Combine(folder, Checkpoint.WeightsFile), Model.Tensors().Select(t => (t.Name, Weights[t.Name], t.Shape)));
        return folder;
    }

    public void WriteConfig(string folder)
    {
        var json = JsonNode.Parse(Config)!.AsObject();
        void Default(string name, JsonNode value)
        {
            if (!json.ContainsKey(name)) json[name] = value;
        }

        Default("vocab_size", Model.Vocabulary);
        Default("hidden_size", Model.Hidden);
        Default("intermediate_size", Model.Inner);
        Default("num_hidden_layers", Model.Layers.Count);
        Default("num_attention_heads", Model.Heads);
        Default("num_key_value_heads", Model.KeyValueHeads);
        Default("head_dim", Model.HeadSize);
        Default("rms_norm_eps", Model.Epsilon);
        Default("max_position_embeddings", Context);
        File.WriteAllText(Path.Combine(folder, ModelFiles.ConfigFile), json.ToJsonString());
        File.Copy(Path.Combine(ReferenceCheckpoints.Folder("qwen2"), ModelFiles.TokenizerFile), Path.Combine(folder, ModelFiles.TokenizerFile), true);
    }

    public float[] Logits(long[] ids) => new NaiveDecoder(Model, Weights).Logits(ids);

    private static Dictionary<string, float[]> Draw(NaiveModel model)
    {
        var random = new Random(1);
        double Normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        return model.Tensors().ToDictionary(t => t.Name, t =>
        {
            var isNorm = t.Name.EndsWith("norm.weight", StringComparison.Ordinal);
            var isEmbedding = t.Name.Contains("embed", StringComparison.Ordinal);
            var spread = isNorm ? 0.3 : t.Shape.Length == 1 ? 0.5 : isEmbedding ? 1 : 1.5 / Math.Sqrt(t.Shape[1]);
            var middle = isNorm && !model.HasGemmaNorms ? 1 : 0;
            return Enumerable.Range(0, (int)t.Shape.Aggregate(1L, (a, b) => a * b)).Select(_ => (float)(middle + (spread * Normal()))).ToArray();
        }, StringComparer.Ordinal);
    }
}
