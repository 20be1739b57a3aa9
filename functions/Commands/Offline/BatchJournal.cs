using System.Text;
using R1Serverless.Queues.Batches;

namespace R1Serverless.Commands.Offline;

/// <summary>
/// What of a batch is done, in the order in which it was: <c>{output}.part</c>. A first line names what the answers depend on; each further one holds
/// the hash of an input line, whether it failed, and its output line. A process that is killed leaves at most half a line at the end, which the next
/// one cuts off.
/// Appending is safe for several threads.
/// </summary>
internal sealed class BatchJournal : IDisposable
{
    private const int HashDigits = 32, PrefixBytes = HashDigits + 3, LongestLine = 1 << 29;
    private const byte Answered = (byte)'o', Failed = (byte)'e', Space = (byte)' ';

    private readonly Lock _gate = new();
    private readonly FileStream _file;
    private readonly Dictionary<UInt128, Place> _done = [];

    private BatchJournal(FileStream file) => _file = file;

    /// <summary>Lines that are done.</summary>
    public int Count
    {
        get
        {
            lock (_gate) return _done.Count;
        }
    }

    /// <summary>Opens the journal of an output, or begins it.</summary>
    /// <param name="head">What the answers depend on, one line; a journal with another one is refused.</param>
    /// <exception cref="InvalidDataException">It belongs to other settings; the message says what to do.</exception>
    public static async Task<BatchJournal> OpenAsync(string path, string head, CancellationToken cancellationToken)
    {
        FileStream file;
        try
        {
            file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0, useAsync: false);
        }
        catch (IOException fault) when (File.Exists(path))
        {
            throw new IOException($"{path} can't be opened: another run may be writing it. ({fault.Message})", fault);
        }

        BatchJournal journal = new(file);
        try
        {
            await journal.ReadAsync(path, head, cancellationToken);
            return journal;
        }
        catch (Exception)
        {
            journal.Dispose();
            throw;
        }
    }

    public bool Has(UInt128 line)
    {
        lock (_gate) return _done.ContainsKey(line);
    }

    /// <summary>Once this returns, the line survives the end of the process.</summary>
    public void Append(UInt128 line, LineOutput output)
    {
        var record = new byte[PrefixBytes + output.Json.Length];
        Encoding.ASCII.GetBytes(line.ToString("x32", null), record);
        (record[HashDigits], record[HashDigits + 1], record[HashDigits + 2]) = (Space, output.IsError ? Failed : Answered, Space);
        output.Json.CopyTo(record.AsMemory(PrefixBytes));
        lock (_gate)
        {
            var at = _file.Length;
            RandomAccess.Write(_file.SafeFileHandle, record, at);
            _done[line] = new Place(at + PrefixBytes, output.Json.Length, output.IsError);
        }
    }

    /// <summary>The output of a line that is done, with its line break.</summary>
    public LineOutput Read(UInt128 line)
    {
        Place place;
        lock (_gate) place = _done[line];
        var json = new byte[place.Bytes];
        var read = 0;
        while (read < json.Length)
        {
            var got = RandomAccess.Read(_file.SafeFileHandle, json.AsSpan(read), place.At + read);
            if (got == 0) throw new InvalidDataException($"{_file.Name} was cut while it was in use.");
            read += got;
        }

        return new LineOutput(json, place.IsError);
    }

    public void Dispose() => _file.Dispose();

    private async Task ReadAsync(string path, string head, CancellationToken cancellationToken)
    {
        FileStream again =
            new(new Microsoft.Win32.SafeHandles.SafeFileHandle(_file.SafeFileHandle.DangerousGetHandle(), ownsHandle: false), FileAccess.Read,
                1 << 16);
        await using LineReader reader = new(again, LongestLine);
        long whole = 0;
        while (await reader.ReadAsync(cancellationToken))
        {
            var next = whole + reader.Line.Length + 1;
            if (next > _file.Length || (whole > 0 && !Note(reader.Line.Span, whole))) break;
            if (whole == 0 && !reader.Line.Span.SequenceEqual(Encoding.UTF8.GetBytes(head)))
                throw new InvalidDataException(
                    $"{path} was begun with other settings: {Encoding.UTF8.GetString(reader.Line.Span)}. Use the same to go on, or delete it to "
                    + "begin anew.");
            whole = next;
        }

        _file.SetLength(whole);
        if (whole == 0) RandomAccess.Write(_file.SafeFileHandle, Encoding.UTF8.GetBytes(head + "\n"), 0);
    }

    private bool Note(ReadOnlySpan<byte> record, long at)
    {
        if (record.Length <= PrefixBytes || record[HashDigits + 1] is not (Answered or Failed)) return false;
        if (!UInt128.TryParse(record[..HashDigits], System.Globalization.NumberStyles.AllowHexSpecifier, null, out var line)) return false;
        _done[line] = new Place(at + PrefixBytes, record.Length - PrefixBytes + 1, record[HashDigits + 1] == Failed);
        return true;
    }

    private readonly record struct Place(long At, int Bytes, bool IsError);
}
