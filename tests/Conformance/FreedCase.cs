using Google.Protobuf;
using R1Serverless.ModelBuilder.Onnx;

namespace R1Serverless.Tests.Conformance;

/// <summary>
/// ONNX's own tests with the first dimension of every input and output free, as exporters leave that of a batch. Of most operators the rows are then
/// independent, of some they mix, and of some the first axis has nothing to do with the inputs': a server that takes it for a batch axis without
/// looking gives wrong answers.
/// </summary>
internal static class FreedCase
{
    /// <summary>Writes those that have a first dimension everywhere into a folder.</summary>
    public static IReadOnlyList<OnnxTestCase> WriteAll(IEnumerable<OnnxTestCase> cases, string folder) =>
        [.. cases.Select(one => Write(one, Path.Combine(folder, one.Name))).OfType<OnnxTestCase>()];

    private static OnnxTestCase? Write(OnnxTestCase one, string folder)
    {
        var model = ModelProto.Parser.ParseFrom(File.ReadAllBytes(one.Graph));
        ValueInfoProto[] ends = [.. model.Graph.Input, .. model.Graph.Output];
        if (model.Graph.Input.Count == 0 || ends.Any(value => value.Type?.TensorType?.Shape is not { Dim.Count: > 0 })) return null;
        foreach (var value in ends) value.Type.TensorType.Shape.Dim[0] = new TensorShapeProto.Types.Dimension();
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, "model.onnx"), model.ToByteArray());
        foreach (var set in Directory.EnumerateDirectories(one.Folder, "test_data_set_*"))
        {
            var copy = Directory.CreateDirectory(Path.Combine(folder, Path.GetFileName(set))).FullName;
            foreach (var file in Directory.EnumerateFiles(set)) File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
        }

        return new OnnxTestCase(folder);
    }
}
