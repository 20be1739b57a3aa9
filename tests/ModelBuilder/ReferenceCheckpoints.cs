using R1Serverless.ModelBuilder.Checkpoints;

namespace R1Serverless.Tests.ModelBuilder;

/// <summary>The checkpoints with reference logits: the tiny ones beside this file and the shipped model.</summary>
internal static class ReferenceCheckpoints
{
    public static TheoryData<string> Names => ["llama", "llama-bias", "qwen2", ShippedModels.Nano];

    public static string Folder(string name) =>
        name == ShippedModels.Nano ? TestModels.NanoCheckpoint : Path.Combine(TestModels.RepositoryRoot, "tests", "ModelBuilder", "fixtures", name);

    /// <summary>Each reference sequence with its logits [length, vocabulary], flat.</summary>
    public static IReadOnlyList<(long[] Ids, float[] Logits)> Read(string name)
    {
        using var file = SafeTensors.Open(Path.Combine(Folder(name), "reference", "logits.safetensors"));
        return [.. Enumerable.Range(0, file.Tensors.Count / 2).Select(i =>
        {
            var tensor = file.Tensors[$"{i}.logits"];
            var logits = new float[tensor.Elements];
            file.Read(tensor, 0, logits);
            return (file.ReadIntegers(file.Tensors[$"{i}.input_ids"]), logits);
        })];
    }

    /// <summary>All tensors of a checkpoint, widened.</summary>
    public static Dictionary<string, float[]> Weights(string folder)
    {
        Dictionary<string, float[]> weights = new(StringComparer.Ordinal);
        foreach (var path in Checkpoint.WeightFiles(folder))
        {
            using var file = SafeTensors.Open(path);
            foreach (var tensor in file.Tensors.Values) file.Read(tensor, 0, weights[tensor.Name] = new float[tensor.Elements]);
        }

        return weights;
    }

    /// <summary>A copy to damage.</summary>
    public static string Copy(string name)
    {
        var folder = Directory.CreateTempSubdirectory("r1-checkpoint-").FullName;
        foreach (var file in Directory.EnumerateFiles(Folder(name))) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        return folder;
    }
}
