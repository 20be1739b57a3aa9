using R1Serverless.Abstractions.Tensors;
using R1Serverless.ModelBuilder.Onnx;

namespace R1Serverless.Tests.Conformance;

/// <summary>A graph of ONNX's own tests with inputs and expected outputs: a folder with model.onnx and test_data_set_0, 1 and so on.</summary>
internal sealed record OnnxTestCase(string Folder)
{
    /// <summary>Where tests/run unpacks them.</summary>
    public static string Installed => RepositoryFiles.Path("tests", "onnx-testdata");

    public string Name => Path.GetFileName(Folder);

    public string Graph => Path.Combine(Folder, "model.onnx");

    /// <summary>All below a folder, in the order of their names; none where it does not exist.</summary>
    public static IReadOnlyList<OnnxTestCase> FindAll(string root) => !Directory.Exists(root) ? []
        : [.. Directory.EnumerateFiles(root, "model.onnx", SearchOption.AllDirectories).Select(file => new OnnxTestCase(Path.GetDirectoryName(file)!))
            .OrderBy(one => one.Name, StringComparer.Ordinal)];

    /// <summary>The inputs of each set with the outputs that are expected, both with the graph's names. Sets with what is no tensor are left
    /// out.</summary>
    public IEnumerable<(IReadOnlyList<Tensor> Inputs, IReadOnlyList<Tensor> Outputs)> Sets()
    {
        var graph = ModelProto.Parser.ParseFrom(File.ReadAllBytes(Graph)).Graph;
        foreach (var set in Directory.EnumerateDirectories(Folder, "test_data_set_*").Order(StringComparer.Ordinal))
        {
            if (Read(set, "input", [.. graph.Input.Select(input => input.Name)]) is { } inputs
                && Read(set, "output", [.. graph.Output.Select(output => output.Name)]) is { } outputs)
                yield return (inputs, outputs);
        }
    }

    private static List<Tensor>? Read(string set, string kind, string[] names)
    {
        List<Tensor> tensors = [];
        for (var i = 0; Path.Combine(set, $"{kind}_{i}.pb") is var file && File.Exists(file); i++)
        {
            if (OnnxTensors.Read(File.ReadAllBytes(file)) is not { } tensor || i >= names.Length) return null;
            tensors.Add(tensor with { Name = names[i] });
        }

        return tensors;
    }
}
