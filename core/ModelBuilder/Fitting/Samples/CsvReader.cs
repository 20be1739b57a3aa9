using System.Text;

namespace R1Serverless.ModelBuilder.Fitting.Samples;

/// <summary>Rows of a table as RFC 4180 has them: cells in quotes may hold separators, line ends and doubled quotes. Separated by what the first line
/// has: tabs, else semicolons where it has no comma, else commas.</summary>
internal sealed class CsvReader(TextReader reader)
{
    private const char Quote = '"';

    private readonly List<string> _cells = [];
    private char? _separator;
    private int _read;

    /// <summary>The number of the line that the row begins with, from 1.</summary>
    public int Line { get; private set; }

    public IReadOnlyList<string> Cells => _cells;

    /// <returns>Whether there was another row.</returns>
    /// <exception cref="InvalidDataException">A quote is not closed, or something stands behind a closed one.</exception>
    public bool Read()
    {
        _cells.Clear();
        if (reader.ReadLine() is not { } line) return false;
        Line = ++_read;
        // Before the first row that has anything.
        if (_separator is null && string.IsNullOrWhiteSpace(line)) return Read();
        _separator ??= line.Contains('\t') ? '\t' : line.Contains(';') && !line.Contains(',') ? ';' : ',';
        for (var at = 0; at <= line.Length;) at = line.Length > at && line[at] == Quote ? Quoted(ref line, at + 1) : Plain(line, at);
        return true;
    }

    /// <returns>Where the next cell begins; behind the end of the line where there is none.</returns>
    private int Plain(string line, int start)
    {
        var end = line.IndexOf(_separator!.Value, start);
        if (end < 0) end = line.Length;
        _cells.Add(line[start..end]);
        return end + 1;
    }

    private int Quoted(ref string line, int start)
    {
        StringBuilder cell = new();
        for (var at = start; ; at++)
        {
            if (at == line.Length)
            {
                line = reader.ReadLine() ?? throw new InvalidDataException($"line {Line}: a quote is not closed.");
                _read++;
                cell.Append('\n');
                at = -1;
            }
            else if (line[at] != Quote)
            {
                cell.Append(line[at]);
            }
            else if (at + 1 < line.Length && line[at + 1] == Quote)
            {
                cell.Append(line[at++]);
            }
            else
            {
                _cells.Add(cell.ToString());
                return at + 1 == line.Length || line[at + 1] == _separator ? at + 2
                    : throw new InvalidDataException($"line {_read}: '{line[at + 1]}' stands behind a closed quote.");
            }
        }
    }
}
