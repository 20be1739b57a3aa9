using System.Buffers;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Microsoft.Win32.SafeHandles;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder.Checkpoints;

/// <summary>One safetensors file, read in pieces of any size, from several threads at once. Not memory-mapped: mapped pages would count as this
/// process's memory.</summary>
internal sealed class SafeTensors : IDisposable
{
    /// <summary>Elements that are widened at once.</summary>
    private const int Piece = 1 << 16;

    private readonly SafeFileHandle _file;

    private SafeTensors(string path, SafeFileHandle file, IReadOnlyDictionary<string, SafeTensor> tensors) =>
        (Path, _file, Tensors) = (path, file, tensors);

    public string Path { get; }

    public IReadOnlyDictionary<string, SafeTensor> Tensors { get; }

    /// <exception cref="InvalidModelException">The file is missing or damaged.</exception>
    public static SafeTensors Open(string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
            return new SafeTensors(path, File.OpenHandle(path), SafeTensorsHeader.Read(path, stream));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new InvalidModelException($"{path} does not exist.", e);
        }
    }

    /// <summary>Elements [<paramref name="first"/>, + <paramref name="destination"/>.Length) as float32.</summary>
    /// <exception cref="InvalidModelException">The tensor holds no floating-point numbers, or the file has become shorter.</exception>
    public void Read(SafeTensor tensor, long first, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first, tensor.Elements - destination.Length);
        switch (tensor.Type)
        {
            case SafeTensorType.F32:
                ReadBytes(tensor, 4 * first, MemoryMarshal.AsBytes(destination));
                break;
            case SafeTensorType.F16 or SafeTensorType.BF16 or SafeTensorType.F8E4M3:
                ReadNarrow(tensor, first, destination);
                break;
            default:
                throw NoWeight(tensor);
        }
    }

    public InvalidModelException NoWeight(SafeTensor tensor) => new(
        $"{Path}: tensor {tensor.Name} has the type {tensor.Type.Name()}, but weights must be F32, F16 or BF16, or F8_E4M3 with scales for blocks.");

    /// <summary>A whole I64 tensor.</summary>
    public long[] ReadIntegers(SafeTensor tensor)
    {
        var numbers = tensor.Type == SafeTensorType.I64
            ? new long[tensor.Elements]
            : throw new InvalidModelException($"{Path}: tensor {tensor.Name} has the type {tensor.Type.Name()}, but should be I64.");
        ReadBytes(tensor, 0, MemoryMarshal.AsBytes(numbers.AsSpan()));
        return numbers;
    }

    public void Dispose() => _file.Dispose();

    private void ReadBytes(SafeTensor tensor, long offset, Span<byte> destination)
    {
        for (var done = 0; done < destination.Length;)
        {
            var count = RandomAccess.Read(_file, destination[done..], tensor.Offset + offset + done);
            done += count > 0 ? count : throw new InvalidModelException($"{Path} ends inside tensor {tensor.Name}.");
        }
    }

    /// <summary>Numbers of 8 or 16 bits.</summary>
    private void ReadNarrow(SafeTensor tensor, long first, Span<float> destination)
    {
        var size = tensor.Type.Bytes();
        var rented = ArrayPool<byte>.Shared.Rent(size * Math.Min(Piece, destination.Length));
        try
        {
            while (!destination.IsEmpty)
            {
                var count = Math.Min(Piece, destination.Length);
                var narrow = rented.AsSpan(0, size * count);
                ReadBytes(tensor, size * first, narrow);
                if (tensor.Type == SafeTensorType.F8E4M3) Float8.Widen(narrow, destination);
                else if (tensor.Type == SafeTensorType.F16) TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(narrow), destination);
                else Widen(MemoryMarshal.Cast<byte, ushort>(narrow), destination);
                first += count;
                destination = destination[count..];
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>A bfloat16 is the upper half of a float32.</summary>
    private static void Widen(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        var words = MemoryMarshal.Cast<float, uint>(destination);
        var i = 0;
        for (; i <= source.Length - Vector256<ushort>.Count; i += Vector256<ushort>.Count)
        {
            var (lower, upper) = Vector256.Widen(Vector256.Create(source[i..]));
            (lower << 16).CopyTo(words[i..]);
            (upper << 16).CopyTo(words[(i + Vector256<uint>.Count)..]);
        }

        for (; i < source.Length; i++) words[i] = (uint)source[i] << 16;
    }
}
