namespace R1Serverless.Tests.Infra;

/// <summary>A compose file as far as ours go: mappings by indentation, lists of words, words in double quotes. Keys are paths, such as
/// services/worker/build/context.</summary>
internal sealed class ComposeFile
{
    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<string>> _lists = new(StringComparer.Ordinal);
    private readonly HashSet<string> _keys = new(StringComparer.Ordinal);

    public ComposeFile(string path)
    {
        List<(int Indent, string Key)> open = [];
        foreach (var line in File.ReadLines(path).Where(line => line.Trim() is { Length: > 0 } said && said[0] != '#'))
        {
            var indent = line.Length - line.TrimStart().Length;
            var said = line.Trim();
            while (open.Count > 0 && open[^1].Indent >= indent) open.RemoveAt(open.Count - 1);
            if (said.StartsWith("- ", StringComparison.Ordinal))
            {
                var list = string.Join('/', open.Select(one => one.Key));
                if (!_lists.TryGetValue(list, out var words)) _lists[list] = words = [];
                words.Add(said[2..].Trim('"'));
                continue;
            }

            var colon = said.IndexOf(':', StringComparison.Ordinal);
            open.Add((indent, said[..colon]));
            var key = string.Join('/', open.Select(one => one.Key));
            if (!_keys.Add(key)) throw new InvalidDataException($"{key} stands twice.");
            if (said[(colon + 1)..].Trim() is { Length: > 0 } value) _values[key] = value.Trim('"');
        }
    }

    public string this[string key] => _values[key];

    public string? Find(string key) => _values.GetValueOrDefault(key);

    public IReadOnlyList<string> List(string key) => _lists.GetValueOrDefault(key) ?? [];

    /// <summary>The keys right below this one.</summary>
    public IEnumerable<string> Below(string key) =>
        _keys.Where(one => one.StartsWith(key + '/', StringComparison.Ordinal)).Select(one => one[(key.Length + 1)..])
            .Where(one => !one.Contains('/', StringComparison.Ordinal));
}
