namespace R1Serverless.Tests.Benchmarks;

/// <summary>Glosses of nouns with the categories that lexicographers filed them under, from WordNet's database file data.noun (Debian:
/// wordnet-base).</summary>
internal static class WordNet
{
    /// <summary>Numbers of lexicographer files, as lexnames(5WN) lists them.</summary>
    public static readonly IReadOnlyDictionary<int, string> Categories = new SortedDictionary<int, string>
    {
        [5] = "animal", [13] = "food", [15] = "location", [18] = "person", [20] = "plant",
    };

    /// <summary>The first clause of each gloss, without examples; the categories above only.</summary>
    /// <exception cref="InvalidDataException">The folder has no such file.</exception>
    public static IReadOnlyList<(string Text, string Label)> Read(string folder)
    {
        var path = Path.Combine(folder, "data.noun");
        if (!File.Exists(path)) throw new InvalidDataException($"{path} does not exist: name the folder of WordNet's database with --wordnet.");
        return
        [
            .. from line in File.ReadLines(path)
            where !line.StartsWith(' ') && line.Length > 12
            let category = Categories.GetValueOrDefault(int.Parse(line.AsSpan(9, 2)))
            where category is not null
            let gloss = line[(line.IndexOf('|') + 1)..].Split(';')[0].Trim()
            where gloss.Length > 0
            select (gloss, category),
        ];
    }
}
