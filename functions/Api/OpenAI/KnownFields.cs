using System.Text.Json;

namespace R1Serverless.Api.OpenAI;

/// <summary>
/// Which names an object may have. Four kinds, because silence is the worst answer to a field that should change the result:
/// understood fields are read elsewhere; harmless ones cannot change the answer's text and are ignored; unsupported ones are accepted only at
/// the value that switches them off, as many SDKs send it; any other name is most likely a typo, and refused with the nearest known name.
/// What is null says nothing, whatever its name: SDKs send their own answers' fields back so.
/// </summary>
internal sealed class KnownFields
{
    private readonly HashSet<string> _accepted;
    private readonly Dictionary<string, Func<JsonElement, bool>> _unsupported;

    public KnownFields(string[] understood, string[] harmless, Dictionary<string, Func<JsonElement, bool>> unsupported)
    {
        _accepted = [.. understood, .. harmless];
        _unsupported = unsupported;
    }

    public void Check(RequestReader reader)
    {
        foreach (var field in reader.Element.EnumerateObject())
        {
            // One fault is told, and looking for the nearest name of each of very many would take seconds.
            if (reader.Faults.First is not null) return;
            var name = field.Name;
            if (field.Value.ValueKind == JsonValueKind.Null || _accepted.Contains(name)) continue;
            var at = reader.Path(Truncated.Name(name));
            if (_unsupported.TryGetValue(name, out var isOff))
            {
                if (!isOff(field.Value))
                    reader.Faults.Add(at, $"'{at}' is not supported here with this value: leave it out.", "unsupported_parameter");
                continue;
            }

            var hint = Nearest(name) is { } near ? $" Did you mean '{near}'?" : "";
            reader.Faults.Add(at, $"Unknown field '{at}'.{hint}", "unknown_parameter");
        }
    }

    private string? Nearest(string name)
    {
        if (name.Length is < 3 or > 40) return null;
        (string? best, var distance) = (null, Math.Max(2, name.Length / 4) + 1);
        foreach (var candidate in _accepted.Concat(_unsupported.Keys))
        {
            var edits = Edits(name, candidate);
            if (edits < distance) (best, distance) = (candidate, edits);
        }

        return best;
    }

    /// <summary>Levenshtein's distance: insertions, deletions and replacements from one name to the other.</summary>
    private static int Edits(string a, string b)
    {
        var row = new int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++) row[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j], row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[b.Length];
    }
}
