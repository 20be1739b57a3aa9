using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using R1Serverless.Models;

namespace R1Serverless.Building;

/// <summary>One safetensors file, memory-mapped and read in pieces of any size. Not for several threads while disposing.</summary>
internal sealed class SafeTensors : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;

    private SafeTensors(string path, MemoryMappedFile file, IReadOnlyDictionary<string, SafeTensor> tensors)
    {
        (Path, _file, Tensors) = (path, file, tensors);
        _view = file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
    }

    public string Path { get; }

    public IReadOnlyDictionary<string, SafeTensor> Tensors { get; }

    /// <exception cref="InvalidModelException">The file is missing or damaged.</exception>
    public static SafeTensors Open(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            var tensors = SafeTensorsHeader.Read(path, stream);
            return new SafeTensors(path, MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read), tensors);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidModelException($"{path} does not exist.", e);
        }
    }

    /// <summary>Elements [<paramref name="first"/>, + <paramref name="destination"/>.Length) as float32.</summary>
    public void Read(SafeTensor tensor, long first, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first, tensor.Elements - destination.Length);
        var handle = _view.SafeMemoryMappedViewHandle;
        switch (tensor.Type)
        {
            case SafeTensorType.F32:
                handle.ReadSpan((ulong)(tensor.Offset + (4 * first)), destination);
                break;
            case SafeTensorType.F16:
                // The halves are read into the upper part of the destination and widened in place, front to back.
                var halves = MemoryMarshal.Cast<float, Half>(destination)[destination.Length..];
                handle.ReadSpan((ulong)(tensor.Offset + (2 * first)), MemoryMarshal.Cast<Half, ushort>(halves));
                Widen(halves, destination);
                break;
            case SafeTensorType.BF16:
                var words = MemoryMarshal.Cast<float, ushort>(destination)[destination.Length..];
                handle.ReadSpan((ulong)(tensor.Offset + (2 * first)), words);
                for (var i = 0; i < destination.Length; i++)
                {
                    destination[i] = BitConverter.UInt32BitsToSingle((uint)words[i] << 16);
                }

                break;
            default:
                throw new InvalidModelException($"{Path}: tensor {tensor.Name} has the type {tensor.Type}, but weights must be F32, F16 or BF16.");
        }
    }

    /// <summary>A whole I64 tensor.</summary>
    public long[] ReadIntegers(SafeTensor tensor)
    {
        var numbers = tensor.Type == SafeTensorType.I64
            ? new long[tensor.Elements]
            : throw new InvalidModelException($"{Path}: tensor {tensor.Name} has the type {tensor.Type}, but should be I64.");
        _view.SafeMemoryMappedViewHandle.ReadSpan((ulong)tensor.Offset, numbers.AsSpan());
        return numbers;
    }

    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }

    private static void Widen(ReadOnlySpan<Half> source, Span<float> destination)
    {
        for (var i = 0; i < source.Length; i++)
        {
            destination[i] = (float)source[i];
        }
    }
}
