using R1Serverless.Building;

namespace R1Serverless.Tests.Building;

/// <summary>The checkpoints with reference logits: the tiny ones beside this file and the shipped model.</summary>
internal static class ReferenceCheckpoints
{
    public static TheoryData<string> Names => ["llama", "llama-bias", "qwen2", ShippedModels.Nano];

    public static string Folder(string name) =>
        name == ShippedModels.Nano ? TestModels.NanoCheckpoint : Path.Combine(TestModels.RepositoryRoot, "tests", "Building", "fixtures", name);

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

    /// <summary>A copy to damage.</summary>
    public static string Copy(string name)
    {
        var folder = Directory.CreateTempSubdirectory("r1-checkpoint-").FullName;
        foreach (var file in Directory.EnumerateFiles(Folder(name))) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        return folder;
    }
}
