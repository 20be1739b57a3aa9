using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace R1Serverless.Models.Tokenization;

/// <summary>Unicode's canonical decompositions and combining classes, from canonical.txt (Hangul syllables left out: they are arithmetic).</summary>
internal static class CanonicalData
{
    static CanonicalData()
    {
        var (classes, decompositions, compositions) = (new Dictionary<int, byte>(), new Dictionary<int, (int, int)>(),
            new Dictionary<(int, int), int>());
        var unstable = new HashSet<int>();
        using var stream = typeof(CanonicalData).Assembly.GetManifestResourceStream("canonical.txt")!;
        using var reader = new StreamReader(stream, Encoding.ASCII);
        while (reader.ReadLine() is { } line)
        {
            var fields = line.Split(' ');
            switch (fields[0])
            {
                case "class":
                    for (var character = Hex(fields[1]); character <= Hex(fields[2]); character++)
                    {
                        classes[character] = byte.Parse(fields[3], CultureInfo.InvariantCulture);
                        unstable.Add(character);
                    }

                    break;
                case "=":
                    decompositions[Hex(fields[1])] = (Hex(fields[2]), Hex(fields[3]));
                    compositions[(Hex(fields[2]), Hex(fields[3]))] = Hex(fields[1]);
                    unstable.Add(Hex(fields[3]));
                    break;
                case ">":
                    decompositions[Hex(fields[1])] = (Hex(fields[2]), fields.Length > 3 ? Hex(fields[3]) : 0);
                    unstable.Add(Hex(fields[1]));
                    break;
            }
        }

        Classes = classes.ToFrozenDictionary();
        Decompositions = decompositions.ToFrozenDictionary();
        Compositions = compositions.ToFrozenDictionary();
        Unstable = unstable.ToFrozenSet();
    }

    /// <summary>The combining classes other than 0.</summary>
    public static FrozenDictionary<int, byte> Classes { get; }

    /// <summary>A character's parts, which may decompose further; the second is 0 where there is one only.</summary>
    public static FrozenDictionary<int, (int First, int Second)> Decompositions { get; }

    public static FrozenDictionary<(int First, int Second), int> Compositions { get; }

    /// <summary>Characters that form C may change or join to another. A text without them is in form C.</summary>
    public static FrozenSet<int> Unstable { get; }

    private static int Hex(string field) => int.Parse(field, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
}
