using System.Text;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelBuilder.Decoders;
using R1Serverless.Models;

namespace R1Serverless.Tests.ModelBuilder;

/// <summary>Damaged and unsupported checkpoints end in one error type whose message names the fault.</summary>
public sealed class CheckpointTests
{
    [Fact]
    public void Missing_folder() => AssertInvalid("does not exist", () => Checkpoint.Open(Path.Combine(Path.GetTempPath(), "r1-no-such-folder")));

    [Fact]
    public void Missing_weights()
    {
        var folder = ReferenceCheckpoints.Copy("qwen2");
        File.Delete(Path.Combine(folder, Checkpoint.WeightsFile));
        AssertInvalid("holds neither", () => Checkpoint.Open(folder));
    }

    [Fact]
    public void Missing_shard()
    {
        var folder = ReferenceCheckpoints.Copy("llama");
        File.Delete(Path.Combine(folder, "model-00002-of-00002.safetensors"));
        AssertInvalid("model-00002-of-00002.safetensors does not exist", () => Checkpoint.Open(folder));
    }

    [Fact]
    public void An_index_may_not_leave_its_folder()
    {
        var folder = ReferenceCheckpoints.Copy("llama");
        File.WriteAllText(Path.Combine(folder, Checkpoint.IndexFile), """{"weight_map":{"a":"../b.safetensors"}}""");
        AssertInvalid("weight_map", () => Checkpoint.Open(folder));
    }

    [Fact]
    public void Missing_tensor()
    {
        var folder = ReferenceCheckpoints.Copy("qwen2");
        Rewrite(folder, header => header.Replace("model.layers.1.mlp.up_proj", "model.layers.1.mlp.xx_proj", StringComparison.Ordinal));
        AssertInvalid("model.layers.1.mlp.up_proj.weight is missing", () => Build(folder));
    }

    [Fact]
    public void Wrong_shape()
    {
        var folder = ReferenceCheckpoints.Copy("qwen2");
        var config = Path.Combine(folder, "config.json");
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"vocab_size\": 56", "\"vocab_size\": 57", StringComparison.Ordinal));
        AssertInvalid("model.embed_tokens.weight has the shape [56, 64], but config.json asks for [57, 64]", () => Build(folder));
    }

    [Theory]
    [InlineData("\"F16\"", "\"F8_\"", "has the type F8_")]
    [InlineData("\"F16\"", "\"I64\"", "needs")]
    [InlineData("[56,64]", "[56,65]", "needs 7280 bytes, but has 7168")]
    [InlineData("[56,64]", "[-5,33]", "impossible shape")]
    [InlineData("[56,64]", "\"a,b\"  ", "needs dtype, shape and data_offsets")]
    [InlineData("{\"__meta", "[\"__meta", "header is damaged")]
    [InlineData("data_offsets\":[0,7168]", "data_offsets\":[1,7168]", "needs 7168 bytes")]
    [InlineData("data_offsets\":[0,7168]", "data_offsets\":[8,7176]", "overlap")]
    [InlineData("data_offsets\":[0,7168]", "data_offsets\":[7168,0]", "cut off or damaged")]
    public void Damaged_header(string old, string replacement, string message)
    {
        var folder = ReferenceCheckpoints.Copy("qwen2");
        Rewrite(folder, header => header.Replace(old, replacement, StringComparison.Ordinal));
        AssertInvalid(message, () => Checkpoint.Open(folder));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(8)]
    [InlineData(200)]
    [InlineData(-1)]
    public void Truncated_file(int length)
    {
        var folder = ReferenceCheckpoints.Copy("qwen2");
        using (var file = new FileStream(Path.Combine(folder, Checkpoint.WeightsFile), FileMode.Open))
        {
            file.SetLength(length < 0 ? file.Length + length : length);
        }

        AssertInvalid(Checkpoint.WeightsFile, () => Checkpoint.Open(folder));
    }

    [Fact]
    public void Integer_weights()
    {
        using var file = SafeTensors.Open(Path.Combine(ReferenceCheckpoints.Folder("qwen2"), "reference", "logits.safetensors"));
        AssertInvalid("0.input_ids has the type I64", () => file.Read(file.Tensors["0.input_ids"], 0, new float[1]));
        AssertInvalid("0.logits has the type F32", () => file.ReadIntegers(file.Tensors["0.logits"]));
    }

    [Fact]
    public void Any_flipped_header_byte_is_an_error_or_harmless()
    {
        var folder = ReferenceCheckpoints.Copy("qwen2");
        var path = Path.Combine(folder, Checkpoint.WeightsFile);
        var original = File.ReadAllBytes(path);
        var headerEnd = 8 + (int)BitConverter.ToInt64(original);
        for (var i = 0; i < headerEnd; i += 7)
        {
            var damaged = original.ToArray();
            damaged[i] ^= 0x15;
            File.WriteAllBytes(path, damaged);
            try
            {
                Build(folder);
            }
            catch (InvalidModelException e)
            {
                Assert.NotEmpty(e.Message);
            }
        }
    }

    private static void Build(string folder)
    {
        using var checkpoint = Checkpoint.Open(folder);
        var graph = DecoderGraph.Build(checkpoint, new DecoderGraphOptions());
        foreach (var initializer in graph.Initializers) initializer.Write(Stream.Null);
    }

    private static void Rewrite(string folder, Func<string, string> change)
    {
        var path = Path.Combine(folder, Checkpoint.WeightsFile);
        var bytes = File.ReadAllBytes(path);
        var length = (int)BitConverter.ToInt64(bytes);
        var header = Encoding.UTF8.GetBytes(change(Encoding.UTF8.GetString(bytes, 8, length)));
        Assert.Equal(length, header.Length);
        header.CopyTo(bytes, 8);
        File.WriteAllBytes(path, bytes);
    }

    private static void AssertInvalid(string message, Action action) =>
        Assert.Contains(message, Assert.Throws<InvalidModelException>(action).Message);
}
