namespace R1Serverless.ModelBuilder.Fitting.Samples;

/// <summary>Samples as rows of a table whose first line names the columns. An empty cell is a number that is missing.</summary>
/// <param name="folder">What names of pictures are relative to.</param>
internal sealed class TableSamples(SampleFields fields, string folder)
{
    public SampleSet Read(TextReader reader, CancellationToken cancellation)
    {
        CsvReader rows = new(reader);
        if (!rows.Read()) throw new InvalidDataException("the file is empty.");
        string[] header = [.. rows.Cells.Select(cell => cell.Trim())];
        if (header.GroupBy(name => name, StringComparer.Ordinal).FirstOrDefault(same => same.Count() > 1) is { } twice)
            throw new InvalidDataException($"line 1: two columns are named '{twice.Key}'.");
        if (fields.Columns.GroupBy(name => name, StringComparer.Ordinal).FirstOrDefault(same => same.Count() > 1) is { } named)
            throw new InvalidDataException($"--columns names '{named.Key}' twice.");
        var label = Find(header, fields.Label, "name the column of the labels with --label");
        var taken = Taken(header);
        var (texts, pictures, numbers) = (new TextCollection(), new PictureCollection(folder, isOfFolders: false), new NumberCollection());
        while (rows.Read())
        {
            cancellation.ThrowIfCancellationRequested();
            if (rows.Cells is [""]) continue;
            if (rows.Cells.Count != header.Length)
                throw new InvalidDataException($"line {rows.Line} has {rows.Cells.Count} cells, but line 1 names {header.Length} columns.");
            var given = rows.Cells[label].Trim();
            if (given.Length == 0) throw new InvalidDataException($"line {rows.Line}: '{header[label]}' is empty.");
            if (fields.Kind == SampleKind.Texts) texts.Add(rows.Line, header[taken[0]], rows.Cells[taken[0]], given);
            else if (fields.Kind == SampleKind.Pictures) pictures.Add(rows.Line, rows.Cells[taken[0]].Trim(), given);
            else numbers.Add(rows.Line, given, [taken.Length], [.. taken.Select(column => Number(rows, header, column))]);
        }

        return fields.Kind switch
        {
            SampleKind.Texts => texts.ToSamples(),
            SampleKind.Pictures => pictures.ToSamples(),
            _ => numbers.ToSamples([.. taken.Select(column => header[column])]),
        };
    }

    private int[] Taken(string[] header)
    {
        string[] named = [.. fields.Columns];
        if (named.Contains(fields.Label, StringComparer.Ordinal))
            throw new InvalidDataException($"'{fields.Label}' is the column of the labels, and can't be one that they are told by.");
        fields.CheckColumns();
        if (named.Length > 0) return [.. named.Select(name => Find(header, name, "--columns names it"))];
        int[] others = [.. Enumerable.Range(0, header.Length).Where(i => header[i] != fields.Label)];
        if (!fields.IsSingle)
            return others.Length > 0 ? others : throw new InvalidDataException("line 1: there is no column beside that of the labels.");
        var only = Find(header, fields.Usual, $"name the column of the {fields.Kind.ToString().ToLowerInvariant()} with --columns");
        return others is [_] ? [only] : throw new InvalidDataException(
            $"line 1: '{header[others.First(i => i != only)]}' is neither '{fields.Usual}' nor '{fields.Label}'; to pass over other "
            + $"columns, say --columns {fields.Usual}.");
    }

    private static int Find(string[] header, string name, string why) => Array.IndexOf(header, name) is >= 0 and var found ? found
        : throw new InvalidDataException($"line 1: there is no column '{name}' ({why}); there are "
            + $"{string.Join(", ", header.Select(one => $"'{one}'"))}.");

    private static float Number(CsvReader rows, string[] header, int column) => rows.Cells[column].Trim() switch
    {
        "" => float.NaN,
        var text => SampleFile.Number(text) ?? throw new InvalidDataException(
            $"line {rows.Line}: '{header[column]}' must be a number that float32 can hold, or empty, but is '{text}'. To pass over the column, name "
            + "the others with --columns."),
    };
}
