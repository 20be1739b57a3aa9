using System.Buffers;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Api.OpenInference;

/// <summary>Triton's raw binary request: the body is the content of the model's only input, and nothing else.</summary>
internal static class RawInput
{
    /// <summary>The request, or null with the fault in words for the client. Every output is answered as binary data.</summary>
    public static InferBody? Read(TensorSignature signature, ReadOnlyMemory<byte> body, out string? fault)
    {
        fault = null;
        if (signature.Inputs is not [var spec])
        {
            fault = $"A body without JSON is for models of one input; this one has {signature.Inputs.Count}.";
            return null;
        }

        if (spec.Shape is not { } sizes)
        {
            fault = $"A body without JSON is for an input whose dimensions are known; those of '{spec.Name}' are not.";
            return null;
        }

        var isText = spec.Type == TensorType.Bytes;
        // One row; of BYTES one element.
        long[] shape = [.. sizes.Select((one, axis) => one < 0 && (isText || axis == 0 && signature.IsBatched) ? 1 : one)];
        if (isText) body = WithLength(body.Span);
        else if (shape.Count(one => one < 0) > 1)
            fault = $"A body without JSON is for an input with one dimension to choose; '{spec.Name}' has the shape [{string.Join(",", shape)}].";
        else if (Array.IndexOf(shape, -1) is >= 0 and var open)
            shape[open] = Rest(shape, TensorTypes.Size(spec.Type), body.Length);
        if (fault is not null) return null;
        Tensor tensor = new(spec.Name, spec.Type, shape, body);
        if (tensor.Misfit() is not { } misfit) return new InferBody(null, null, [tensor], []);
        fault = $"The input '{InferLimits.Shorten(spec.Name)}': {misfit}.";
        return null;
    }

    /// <summary>What the open dimension is where the others and the bytes are known.</summary>
    private static long Rest(long[] shape, int size, int bytes)
    {
        var row = shape.Where(one => one >= 0).Aggregate((double)size, (product, one) => product * one);
        return row > 0 && row <= int.MaxValue ? bytes / (long)row : 0;
    }

    private static ReadOnlyMemory<byte> WithLength(ReadOnlySpan<byte> text)
    {
        ArrayBufferWriter<byte> content = new();
        ByteElements.Add(content, text);
        return content.WrittenMemory;
    }
}
