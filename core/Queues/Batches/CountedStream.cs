namespace R1Serverless.Queues.Batches;

/// <summary>Counts what is read through it, bytes and lines; beyond a limit, reading fails with IOException.</summary>
public sealed class CountedStream(Stream inner, long limit = long.MaxValue) : Stream
{
    private long _lines;
    private bool _isBegun;

    public long Bytes { get; private set; }

    /// <summary>Lines that have anything but white space on them.</summary>
    public long Lines => _lines + (_isBegun ? 1 : 0);

    /// <summary>Whether reading failed for the limit.</summary>
    public bool IsExceeded => Bytes > limit;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) => Count(buffer.AsSpan(offset, inner.Read(buffer, offset, count)));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await inner.ReadAsync(buffer, cancellationToken);
        return Count(buffer.Span[..read]);
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private int Count(ReadOnlySpan<byte> read)
    {
        Bytes += read.Length;
        if (IsExceeded) throw new IOException($"The stream has more than {limit} bytes.");
        CountLines(read);
        return read.Length;
    }

    private void CountLines(ReadOnlySpan<byte> read)
    {
        while (read.Length > 0)
        {
            var end = read.IndexOf((byte)'\n');
            _isBegun |= (end < 0 ? read : read[..end]).IndexOfAnyExcept((byte)' ', (byte)'\t', (byte)'\r') >= 0;
            if (end < 0) return;
            _lines += _isBegun ? 1 : 0;
            _isBegun = false;
            read = read[(end + 1)..];
        }
    }
}
