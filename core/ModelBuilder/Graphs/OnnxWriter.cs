using Google.Protobuf;
using R1Serverless.ModelBuilder.Onnx;

namespace R1Serverless.ModelBuilder.Graphs;

/// <summary>Writes a graph and its constants: small models in one file, large ones with the weights in a second file (protobuf ends at 2
/// GiB).</summary>
internal static class OnnxWriter
{
    /// <summary>Models with more bytes of constants than this get a data file.</summary>
    public const long InlineLimit = 64L << 20;

    /// <summary>Constants below this stay in the graph even so: shape inference wants to see them.</summary>
    private const long SmallConstant = 1024;

    /// <summary>A page: lets the runtime map each tensor where it lies.</summary>
    private const long Alignment = 4096;

    /// <returns>The data file's name, or null where all is in the graph's file.</returns>
    /// <param name="graph">What to write.</param>
    /// <param name="folder">An existing folder.</param>
    /// <param name="fileName">The graph's file; the data file is named after it.</param>
    /// <param name="version">The builder's version, kept in the file.</param>
    /// <param name="progress">Told the bytes of constants written.</param>
    /// <param name="cancellation">Stops between two constants.</param>
    /// <param name="inlineLimit">Bytes of constants up to which there is no data file.</param>
    public static string? Write(
        OnnxGraph graph, string folder, string fileName, string version, IProgress<long> progress, CancellationToken cancellation,
        long inlineLimit = InlineLimit) =>
        Write(graph.ToModel(version), graph.Initializers, folder, fileName, progress, cancellation, inlineLimit);

    /// <summary>The same for any model.</summary>
    /// <param name="model">Gets the constants, beside those that it has, and should not be used any more.</param>
    /// <param name="initializers">The constants to write.</param>
    public static string? Write(
        ModelProto model, IReadOnlyCollection<Initializer> initializers, string folder, string fileName, IProgress<long> progress,
        CancellationToken cancellation, long inlineLimit = InlineLimit)
    {
        var external = initializers.Sum(initializer => initializer.Bytes) > inlineLimit;
        var dataName = external ? fileName + ".data" : null;
        using var data = external ? new FileStream(Path.Combine(folder, dataName!), FileMode.CreateNew) : null;
        var written = 0L;
        foreach (var initializer in initializers)
        {
            cancellation.ThrowIfCancellationRequested();
            var tensor = new TensorProto { Name = initializer.Name, DataType = (int)initializer.Type };
            tensor.Dims.Add(initializer.Shape);
            if (data is not null && initializer.Bytes >= SmallConstant)
            {
                WriteExternal(tensor, initializer, data, dataName!);
            }
            else
            {
                using var buffer = new MemoryStream((int)initializer.Bytes);
                initializer.Write(buffer);
                tensor.RawData = UnsafeByteOperations.UnsafeWrap(buffer.GetBuffer().AsMemory(0, (int)buffer.Length));
            }

            model.Graph.Initializer.Add(tensor);
            progress.Report(written += initializer.Bytes);
        }

        using var file = new FileStream(Path.Combine(folder, fileName), FileMode.CreateNew);
        model.WriteTo(file);
        return dataName;
    }

    private static void WriteExternal(TensorProto tensor, Initializer initializer, FileStream data, string dataName)
    {
        data.Position = (data.Position + Alignment - 1) / Alignment * Alignment;
        var offset = data.Position;
        initializer.Write(data);
        tensor.DataLocation = TensorProto.Types.DataLocation.External;
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = dataName });
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = $"{offset}" });
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "length", Value = $"{initializer.Bytes}" });
    }
}
