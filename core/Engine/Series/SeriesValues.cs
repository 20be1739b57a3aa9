using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Models.Series;

namespace R1Serverless.Engine.Series;

/// <summary>Events' values between requests and tensors.</summary>
internal static class SeriesValues
{
    /// <summary>Each event's values as the model's input has them, or what is wrong with them.</summary>
    /// <param name="field">The request's field that they came in.</param>
    public static InferenceError? TryRead(SeriesSettings settings, IReadOnlyList<IReadOnlyList<double>> events, string field,
        out IReadOnlyList<ReadOnlyMemory<byte>> read)
    {
        // A list of numbers is as many events of one.
        if (settings.EventSize == 1 && events is [{ Count: > 1 } list]) events = [.. list.Select(number => (double[])[number])];
        List<ReadOnlyMemory<byte>> all = new(events.Count);
        read = all;
        for (var i = 0; i < events.Count; i++)
        {
            var values = events[i];
            if (values.Count != (settings.EventSize ?? values.Count) || values.Count == 0)
                return new(InferenceErrorKind.InvalidRequest, $"'{At(i)}' has {values.Count} values; the model takes {Size(settings)} in an event.",
                    At(i));
            if (settings.EventSize is null && settings.EventShape.Where(one => one > 0).Aggregate(1L, (all, one) => all * one) is var fixedPart
                && (settings.EventShape.Count(one => one < 0) > 1 || values.Count % fixedPart != 0))
                return new(InferenceErrorKind.InvalidRequest,
                    $"'{At(i)}' has {values.Count} values; the model takes events of the shape [{string.Join(",", settings.EventShape)}].", At(i));
            var bytes = new byte[values.Count * TensorTypes.Size(settings.Type)];
            if (!TryWrite(settings.Type, values, bytes))
                return new(InferenceErrorKind.InvalidRequest, $"'{At(i)}' has a value beyond {TensorTypes.Name(settings.Type)}.", At(i));
            all.Add(bytes);
        }

        return null;

        string At(int i) => events.Count == 1 ? field : $"{field}[{i}]";
    }

    /// <summary>The dimensions of one event with so many bytes.</summary>
    public static long[] Shape(SeriesSettings settings, int bytes)
    {
        var values = bytes / TensorTypes.Size(settings.Type);
        var others = settings.EventShape.Where(one => one > 0).Aggregate(1L, (all, one) => all * one);
        return [.. settings.EventShape.Select(one => one < 0 ? values / others : one)];
    }

    /// <summary>A window as the input has it.</summary>
    public static Tensor Window(SeriesSettings settings, WindowSettings window, ReadOnlyMemory<byte> content)
    {
        if (window.Axis == 1) return new Tensor(settings.Input, settings.Type, [1, window.Steps, .. settings.EventShape], content);
        var (size, width) = (TensorTypes.Size(settings.Type), (int)settings.EventShape[0]);
        var turned = new byte[content.Length];
        for (var step = 0; step < window.Steps; step++)
        {
            for (var value = 0; value < width; value++)
                content.Span.Slice(((step * width) + value) * size, size).CopyTo(turned.AsSpan(((value * window.Steps) + step) * size));
        }

        return new Tensor(settings.Input, settings.Type, [1, width, window.Steps], turned);
    }

    /// <summary>Equal for equal events.</summary>
    public static string Digest(IReadOnlyList<ReadOnlyMemory<byte>> events)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[sizeof(int)];
        foreach (var one in events)
        {
            BinaryPrimitives.WriteInt32LittleEndian(length, one.Length);
            hash.AppendData(length);
            hash.AppendData(one.Span);
        }

        return Convert.ToBase64String(hash.GetHashAndReset());
    }

    /// <summary>The numbers of FP32 or FP64.</summary>
    public static double[] Numbers(Tensor tensor)
    {
        if (tensor.Type == TensorType.Float64) return MemoryMarshal.Cast<byte, double>(tensor.Data.Span).ToArray();
        var singles = MemoryMarshal.Cast<byte, float>(tensor.Data.Span);
        var numbers = new double[singles.Length];
        for (var i = 0; i < numbers.Length; i++) numbers[i] = singles[i];
        return numbers;
    }

    private static string Size(SeriesSettings settings) => settings.EventSize is { } size ? $"{size}" : "at least 1";

    private static bool TryWrite(TensorType type, IReadOnlyList<double> values, Span<byte> bytes)
    {
        for (var i = 0; i < values.Count; i++)
        {
            if (type == TensorType.Float64) BinaryPrimitives.WriteDoubleLittleEndian(bytes[(i * sizeof(double))..], values[i]);
            else if (float.IsFinite((float)values[i])) BinaryPrimitives.WriteSingleLittleEndian(bytes[(i * sizeof(float))..], (float)values[i]);
            else return false;
        }

        return true;
    }
}
