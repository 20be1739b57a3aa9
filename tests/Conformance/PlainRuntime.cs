using System.Text;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using R1Serverless.Abstractions.Tensors;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.Tests.Conformance;

/// <summary>ONNX Runtime by itself, with the options that the product's sessions have, and nothing of the product in between.</summary>
internal sealed class PlainRuntime : IDisposable
{
    private readonly InferenceSession _session;
    private readonly RunOptions _run = new() { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };

    /// <exception cref="OnnxRuntimeException">It can't load the graph.</exception>
    public PlainRuntime(string graph)
    {
        using SessionOptions options = new()
        {
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL, IntraOpNumThreads = 1, InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL,
        };
        _session = new InferenceSession(graph, options);
    }

    /// <summary>Every output, or null where one is no tensor.</summary>
    /// <exception cref="OnnxRuntimeException">It can't run these.</exception>
    public IReadOnlyList<Tensor>? Run(IReadOnlyList<Tensor> inputs)
    {
        List<OrtValue> values = [.. inputs.Select(Value)];
        try
        {
            using var results = _session.Run(_run, [.. inputs.Select(input => input.Name)], values, _session.OutputNames);
            return results.All(result => result.IsTensor) ? [.. results.Select((result, i) => Read(_session.OutputNames[i], result))] : null;
        }
        finally
        {
            values.ForEach(value => value.Dispose());
        }
    }

    public void Dispose()
    {
        _session.Dispose();
        _run.Dispose();
    }

    private static OrtValue Value(Tensor tensor)
    {
        long[] shape = [.. tensor.Shape];
        if (tensor.Type == TensorType.Bytes)
        {
            var texts = OrtValue.CreateTensorWithEmptyStrings(OrtAllocator.DefaultInstance, shape);
            var (at, rest) = (0, tensor.Data);
            while (rest.Length > 0) texts.StringTensorSetElementAt(ByteElements.Take(ref rest).Span, at++);
            return texts;
        }

        var value = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, ElementType(tensor.Type), shape);
        tensor.Data.Span.CopyTo(value.GetTensorMutableRawData());
        return value;
    }

    private static Tensor Read(string name, OrtValue value)
    {
        var kind = value.GetTensorTypeAndShape();
        var type = Enum.GetValues<TensorType>().Single(type => ElementType(type) == kind.ElementDataType);
        var data = type == TensorType.Bytes ? (byte[])
            [.. Enumerable.Range(0, (int)kind.ElementCount).Select(value.GetStringElement).SelectMany(Text)]
            : kind.ElementCount == 0 ? [] : value.GetTensorMutableRawData().ToArray();
        return new Tensor(name, type, kind.Shape, data);
    }

    private static IEnumerable<byte> Text(string text) => BitConverter.GetBytes(Encoding.UTF8.GetByteCount(text)).Concat(Encoding.UTF8.GetBytes(text));

    private static TensorElementType ElementType(TensorType type) => type switch
    {
        TensorType.Bytes => TensorElementType.String,
        TensorType.Float32 => TensorElementType.Float,
        TensorType.Float64 => TensorElementType.Double,
        _ => Enum.Parse<TensorElementType>($"{type}"),
    };
}
