namespace R1Serverless.Queues.Batches;

/// <summary>Reads a stream line by line in memory bounded by the longest line. Lines end at \n or \r\n; a byte order mark at the start is
/// skipped.</summary>
/// <param name="stream">This takes ownership.</param>
/// <param name="longest">Bytes that a line may have.</param>
public sealed class LineReader(Stream stream, int longest) : IAsyncDisposable
{
    private static readonly byte[] ByteOrderMark = [0xEF, 0xBB, 0xBF];

    private byte[] _buffer = new byte[Math.Min(64 << 10, longest + 1)];
    private int _start;
    private int _end;
    private bool _ended;

    /// <summary>Of the current line, from 1.</summary>
    public long Number { get; private set; }

    /// <summary>Without its break, valid until the next read; empty where it is too long.</summary>
    public ReadOnlyMemory<byte> Line { get; private set; }

    public bool IsTooLong { get; private set; }

    /// <summary>Whether there is nothing on the line but white space.</summary>
    public bool IsBlank => !IsTooLong && Line.Span.IndexOfAnyExcept((byte)' ', (byte)'\t', (byte)'\r') < 0;

    /// <summary>Moves to the next line; false at the end.</summary>
    public async ValueTask<bool> ReadAsync(CancellationToken cancellationToken)
    {
        IsTooLong = false;
        var searched = _start;
        while (true)
        {
            var found = _buffer.AsSpan(searched, _end - searched).IndexOf((byte)'\n');
            if (found >= 0)
            {
                Take(searched + found, next: searched + found + 1);
                return true;
            }

            searched = _end;
            if (_end - _start > longest)
            {
                IsTooLong = true;
                _start = _end = searched = 0;
            }

            if (_ended)
            {
                if (_end == _start && !IsTooLong) return false;
                Take(_end, next: _end);
                return true;
            }

            MakeRoom(ref searched);
            var read = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
            _end += read;
            _ended = read == 0;
        }
    }

    public ValueTask DisposeAsync() => stream.DisposeAsync();

    private void Take(int end, int next)
    {
        if (end - _start > longest) IsTooLong = true;
        var start = Number == 0 && _buffer.AsSpan(_start, end - _start).StartsWith(ByteOrderMark) ? _start + ByteOrderMark.Length : _start;
        if (end > start && _buffer[end - 1] == '\r') end--;
        Line = IsTooLong ? default : _buffer.AsMemory(start, end - start);
        _start = next;
        Number++;
    }

    private void MakeRoom(ref int searched)
    {
        if (_end < _buffer.Length) return;
        if (_start > 0)
        {
            Buffer.BlockCopy(_buffer, _start, _buffer, 0, _end - _start);
            (_end, searched, _start) = (_end - _start, searched - _start, 0);
            return;
        }

        // One more than the longest, so that a line beyond it is known as such.
        Array.Resize(ref _buffer, (int)Math.Min((long)_buffer.Length * 2, longest + 1L));
    }
}
