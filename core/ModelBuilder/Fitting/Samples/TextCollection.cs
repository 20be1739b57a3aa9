namespace R1Serverless.ModelBuilder.Fitting.Samples;

/// <summary>Texts as they are read: one that comes twice counts once, so that no head is judged by a text that it was fitted on.</summary>
internal sealed class TextCollection
{
    private readonly Dictionary<string, (int Line, string Label)> _known = new(StringComparer.Ordinal);
    private readonly List<int> _lines = [];
    private readonly List<string> _labels = [], _texts = [];
    private readonly HashSet<string> _copied = new(StringComparer.Ordinal);
    private int _repeated;

    /// <exception cref="InvalidDataException">The text is empty, or came before with another label.</exception>
    public void Add(int line, string field, string text, string label)
    {
        if (string.IsNullOrWhiteSpace(text)) throw new InvalidDataException($"line {line}: '{field}' is empty.");
        if (_known.TryGetValue(text, out var before))
        {
            if (before.Label != label)
                throw new InvalidDataException(
                    $"lines {before.Line} and {line}: the same '{field}' has the label '{before.Label}' and the label '{label}'. Keep "
                    + "the right one.");
            _repeated++;
            _copied.Add(text);
            return;
        }

        _known.Add(text, (line, label));
        _lines.Add(line);
        _labels.Add(label);
        _texts.Add(text);
    }

    /// <exception cref="InvalidDataException">All samples of a label are copies of one text.</exception>
    public TextSamples ToSamples()
    {
        foreach (var (label, i) in _labels.Select((label, i) => (label, i)).GroupBy(one => one.label).Where(group => group.Count() == 1)
            .Select(group => group.First()))
        {
            if (_copied.Contains(_texts[i]))
                throw new InvalidDataException($"line {_lines[i]}: all samples of the label '{label}' are the same text, and copies count once: each "
                    + "label needs two texts, to fit with one and judge by the other.");
        }

        return new(_lines, _labels, _texts,
        _repeated == 0 ? [] : [$"{_repeated} {(_repeated == 1 ? "text that came" : "texts that came")} before, with the same label, count once."]);
    }
}
