using Microsoft.ML.OnnxRuntime.Tensors;

namespace R1Serverless.Engine.Runtime;

/// <summary>
/// The decode steps' attention mask [rows, width]: row i starts with as many ones as it has tokens. Kept between steps, so that
/// usually one element per row is written. The width is rounded up, so that it seldom changes.
/// </summary>
internal sealed class AttentionMask(TensorElementType type) : IDisposable
{
    private const int WidthStep = 128;

    private readonly IntegerBuffer _ones = new(type);
    private int[] _written = [];

    public int Width { get; private set; }

    public IntegerBuffer Buffer => _ones;

    /// <summary>Sets row i to <paramref name="cachedLengths"/>[i] + 1 ones; true if the memory moved. No wider than a slot: the kernel
    /// takes the width for the total length, and refuses one beyond slots and rotary caches.</summary>
    public bool Set(ReadOnlySpan<int> cachedLengths, int slotLength)
    {
        var longest = 0;
        foreach (var cached in cachedLengths) longest = Math.Max(longest, cached + 1);
        var width = Math.Min(slotLength, (longest + WidthStep - 1) / WidthStep * WidthStep);
        var moved = _ones.Require(cachedLengths.Length * width);
        if (moved || width != Width)
        {
            Width = width;
            _written = [];
        }

        if (_written.Length < cachedLengths.Length) Forget(cachedLengths.Length);
        for (var row = 0; row < cachedLengths.Length; row++)
        {
            var (has, wants) = (_written[row], cachedLengths[row] + 1);
            if (wants > has) _ones.Fill((row * width) + has, wants - has, 1);
            else _ones.Fill((row * width) + wants, has - wants, 0);
            _written[row] = wants;
        }

        return moved;
    }

    public void Dispose() => _ones.Dispose();

    private void Forget(int rows)
    {
        // Room for all rows the buffer can hold, so that a growing batch does not start over at each newcomer.
        _written = new int[Math.Max(rows, _ones.Capacity / Width)];
        _ones.Fill(0, _ones.Capacity, 0);
    }
}
