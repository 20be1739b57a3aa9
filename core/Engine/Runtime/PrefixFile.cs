using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Engine.Runtime;

/// <summary>
/// Keys and values of shared prefixes on the disk, where they outlive the process: a file of equal records, one for a block, of which the least
/// recently used is overwritten, and the end of a prompt before its beginning. A record that was not written whole, or has changed since, is never
/// read: it carries a hash of itself. One process at a time has the file. Used by one thread only.
/// </summary>
public sealed class PrefixFile : IDisposable
{
    private const int HeaderBytes = 96, HashBytes = 16, StampAt = 2 * PrefixKey.Bytes, Page = 4096;
    private const long Form = 2;

    private static readonly byte[] Magic = Encoding.ASCII.GetBytes("R1PREFIX");

    private readonly FileStream _file;
    private readonly Dictionary<PrefixKey, LinkedListNode<Entry>> _records = [];

    /// <summary>The most recently used first.</summary>
    private readonly LinkedList<Entry> _used = new();
    private readonly Stack<int> _free = new();
    private readonly byte[] _record;
    private readonly int _most;
    private int _count;
    private long _stamp;

    private PrefixFile(FileStream file, long bytes, int blockBytes)
    {
        _file = file;
        _record = new byte[HeaderBytes + blockBytes];
        _most = (int)Math.Min(int.MaxValue, (bytes - Page) / RecordBytes);
    }

    /// <summary>Records that are there.</summary>
    public int Count => _used.Count;

    /// <summary>False once the disk has taken no more.</summary>
    public bool CanWrite { get; private set; } = true;

    private long RecordBytes => (_record.Length + Page - 1L) / Page * Page;

    /// <summary>Opens the file, or a new one where there is none, or one of another model.</summary>
    /// <param name="bytes">It has no more than these.</param>
    /// <param name="identity">Of all that decides what is in a block: the same for the same bits.</param>
    /// <param name="blockBytes">Of a block's keys and values.</param>
    /// <param name="refusal">Why there is none, in words.</param>
    public static PrefixFile? Open(string path, long bytes, string identity, int blockBytes, out string? refusal)
    {
        FileStream? stream = null;
        try
        {
            var least = Page + HeaderBytes + blockBytes;
            refusal = bytes < least ? $"it needs {least} bytes or more for a block of this model" : null;
            if (refusal is not null) return null;
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            FileStreamOptions options = new()
            {
                Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.None, BufferSize = 0,
            };
            // Who can read it can find out what prompts began with.
            if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            stream = new FileStream(path, options);
            PrefixFile file = new(stream, bytes, blockBytes);
            file.Begin(SHA256.HashData(Encoding.UTF8.GetBytes($"{identity}\n{blockBytes}")));
            return file;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            stream?.Dispose();
            refusal = fault.Message;
            return null;
        }
    }

    public bool Contains(PrefixKey key) => _records.ContainsKey(key);

    /// <summary>A block is used, and so are those before it.</summary>
    /// <returns>Whether it is there.</returns>
    public bool Use(PrefixKey key)
    {
        var isThere = _records.TryGetValue(key, out var at);
        // No more steps than there are records: what was read from the disk may go round.
        for (var step = 0; at is not null && step < _records.Count; step++)
        {
            _used.Remove(at);
            _used.AddFirst(at);
            at = at.Value.Before is { } before ? _records.GetValueOrDefault(before) : null;
        }

        return isThere;
    }

    /// <summary>Reads a block.</summary>
    /// <param name="block">As long as a block.</param>
    /// <returns>False where it is not there, or not as it was written.</returns>
    public bool TryRead(PrefixKey key, Span<byte> block)
    {
        if (!_records.TryGetValue(key, out var record)) return false;
        try
        {
            if (ReadAt(record.Value.Record, _record) && IsWhole(key))
            {
                _record.AsSpan(HeaderBytes).CopyTo(block);
                Use(key);
                return true;
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // A record that can't be read is none.
        }

        _records.Remove(key);
        _used.Remove(record);
        _free.Push(record.Value.Record);
        return false;
    }

    /// <summary>Writes a block, in place of the least recently used one where the file is full, but not of one before it. On a disk that takes no
    /// more, nothing is written.</summary>
    /// <param name="before">The block before it; null for a prompt's first.</param>
    /// <returns>Whether it is there.</returns>
    public bool Write(PrefixKey key, PrefixKey? before, ReadOnlySpan<byte> block)
    {
        if (Use(key)) return true;
        if (before is { } used) Use(used);
        if (!CanWrite || Next(before) is not { } record) return false;
        try
        {
            block.CopyTo(_record.AsSpan(HeaderBytes));
            WriteHeader(key, before);
            // The header last: until it is there, the record is that of before, whose hash does not fit any more.
            RandomAccess.Write(_file.SafeFileHandle, _record.AsSpan(HeaderBytes), At(record) + HeaderBytes);
            RandomAccess.Write(_file.SafeFileHandle, _record.AsSpan(0, HeaderBytes), At(record));
            _records.Add(key, _used.AddFirst(new Entry(key, before, record)));
            // Those before it stay before it.
            if (before is { } first) Use(first);
            return true;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            CanWrite = false;
            return false;
        }
    }

    public void Dispose() => _file.Dispose();

    private long At(int record) => Page + (record * RecordBytes);

    private int? Next(PrefixKey? before)
    {
        if (_free.TryPop(out var free)) return free;
        if (_count < _most) return _count++;
        // Just used: where it is the last, all others are before it.
        var last = _used.Last!.Value;
        if (last.Key == before) return null;
        _used.RemoveLast();
        _records.Remove(last.Key);
        return last.Record;
    }

    private void WriteHeader(PrefixKey key, PrefixKey? before)
    {
        key.Write(_record);
        (before ?? default).Write(_record.AsSpan(PrefixKey.Bytes));
        BinaryPrimitives.WriteInt64LittleEndian(_record.AsSpan(StampAt), ++_stamp);
        BinaryPrimitives.WriteInt64LittleEndian(_record.AsSpan(StampAt + sizeof(long)), Form);
        Hash().CopyTo(_record.AsSpan(HeaderBytes - HashBytes));
    }

    private bool IsWhole(PrefixKey key) =>
        PrefixKey.Read(_record) == key && _record.AsSpan(HeaderBytes - HashBytes, HashBytes).SequenceEqual(Hash());

    /// <summary>Of the whole record but the hash.</summary>
    private ReadOnlySpan<byte> Hash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(_record.AsSpan(0, HeaderBytes - HashBytes));
        hash.AppendData(_record.AsSpan(HeaderBytes));
        return hash.GetHashAndReset().AsSpan(0, HashBytes);
    }

    private bool ReadAt(int record, Span<byte> to) => RandomAccess.Read(_file.SafeFileHandle, to, At(record)) == to.Length;

    /// <summary>Finds what is there, or begins anew.</summary>
    private void Begin(byte[] identity)
    {
        byte[] mine = [.. Magic, .. BitConverter.GetBytes(Form), .. identity];
        var there = new byte[mine.Length];
        if (RandomAccess.Read(_file.SafeFileHandle, there, 0) != there.Length || !there.AsSpan().SequenceEqual(mine))
        {
            _file.SetLength(0);
            RandomAccess.Write(_file.SafeFileHandle, mine, 0);
            return;
        }

        // A smaller size than last time holds for what is there as well.
        if (_file.Length > At(_most)) _file.SetLength(At(_most));
        _count = (int)Math.Min(_most, (_file.Length - Page + RecordBytes - 1) / RecordBytes);
        List<(long Stamp, Entry Entry)> found = [];
        var header = new byte[HeaderBytes];
        for (var record = 0; record < _count; record++)
        {
            if (!ReadAt(record, header)) _free.Push(record);
            else found.Add((BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(StampAt)), Entry.Read(header, record)));
        }

        found.Sort((one, other) => one.Stamp.CompareTo(other.Stamp));
        foreach (var (stamp, entry) in found)
        {
            if (stamp <= 0 || _records.ContainsKey(entry.Key)) _free.Push(entry.Record);
            else _records.Add(entry.Key, _used.AddFirst(entry));
            // A changed one may be the largest there is.
            if (stamp < long.MaxValue / 2) _stamp = Math.Max(_stamp, stamp);
        }

        foreach (var (_, entry) in found) Use(entry.Key);
    }

    private readonly record struct Entry(PrefixKey Key, PrefixKey? Before, int Record)
    {
        public static Entry Read(ReadOnlySpan<byte> header, int record)
        {
            var before = PrefixKey.Read(header[PrefixKey.Bytes..]);
            return new Entry(PrefixKey.Read(header), before == default ? null : before, record);
        }
    }
}
