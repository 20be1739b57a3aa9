using System.Globalization;
using System.Text;

namespace R1Serverless.ModelRegistry;

/// <summary>
/// Which ranges of which files are on the disk, so that a fetch that was killed goes on where it was: a line per range, written after the range
/// itself. A line that was cut off counts for nothing. One writer, whose lock is held elsewhere.
/// </summary>
internal sealed class FetchJournal : IDisposable
{
    public const string FileName = "journal";

    private readonly Lock _gate = new();
    private readonly Dictionary<int, (string Tag, HashSet<long> Ranges)> _files = [];
    private readonly FileStream _stream;

    private FetchJournal(FileStream stream) => _stream = stream;

    /// <summary>Reads what there is and appends from now on.</summary>
    public static FetchJournal Open(string folder)
    {
        FileStream stream = new(Path.Combine(folder, FileName), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        FetchJournal journal = new(stream);
        stream.SetLength(journal.TakeAll());
        stream.Position = stream.Length;
        return journal;
    }

    /// <summary>Reads what there is and changes nothing of it: another process may be writing.</summary>
    public static FetchJournal Read(string folder)
    {
        FetchJournal journal =
            new(new FileStream(Path.Combine(folder, FileName), FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0));
        journal.TakeAll();
        return journal;
    }

    /// <summary>The ranges that are there of a file's content with this tag; those of any other content count no more.</summary>
    public IReadOnlySet<long> Done(int file, string tag)
    {
        lock (_gate)
        {
            if (_files.TryGetValue(file, out var known) && known.Tag == tag) return new HashSet<long>(known.Ranges);
            _files.Remove(file);
            return new HashSet<long>();
        }
    }

    /// <summary>The ranges that are there of a file, of whatever content.</summary>
    public IReadOnlySet<long> There(int file)
    {
        lock (_gate) return _files.TryGetValue(file, out var known) ? new HashSet<long>(known.Ranges) : [];
    }

    /// <summary>After the range was written.</summary>
    public void Add(int file, long range, string tag) => Append(string.Create(CultureInfo.InvariantCulture, $"{file} {range} {tag}\n"));

    /// <summary>What is there of a file is not to be used.</summary>
    public void Forget(int file) => Append(string.Create(CultureInfo.InvariantCulture, $"{file} {Nothing} -\n"));

    public void Dispose() => _stream.Dispose();

    private const long Nothing = -1;

    private void Append(string line)
    {
        lock (_gate)
        {
            var end = _stream.Position;
            try
            {
                _stream.Write(Encoding.UTF8.GetBytes(line));
            }
            catch
            {
                // What a full disk took of it must not stand before another line.
                _stream.SetLength(_stream.Position = end);
                throw;
            }

            Take(line.TrimEnd('\n'));
        }
    }

    /// <summary>Returns where the last whole line ends.</summary>
    private int TakeAll()
    {
        var bytes = new byte[_stream.Length];
        _stream.ReadExactly(bytes);
        var text = Encoding.UTF8.GetString(bytes);
        var whole = text.LastIndexOf('\n') + 1;
        foreach (var line in text[..whole].Split('\n', StringSplitOptions.RemoveEmptyEntries)) Take(line);
        return Encoding.UTF8.GetByteCount(text.AsSpan(0, whole));
    }

    private void Take(string line)
    {
        var parts = line.Split(' ', 3);
        if (parts.Length < 3 || !int.TryParse(parts[0], CultureInfo.InvariantCulture, out var file)
            || !long.TryParse(parts[1], CultureInfo.InvariantCulture, out var range)) return;
        if (range == Nothing || !_files.TryGetValue(file, out var known) || known.Tag != parts[2]) known = _files[file] = (parts[2], []);
        if (range != Nothing) known.Ranges.Add(range);
    }
}
