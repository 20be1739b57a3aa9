using System.Text.Json;
using static R1Serverless.Access.KeyFileFormat;

namespace R1Serverless.Access;

/// <summary>From a key file's JSON to its keys. Strict: an unknown, missing or doubled field is an error, so that a slip of the pen never opens more than was meant.</summary>
internal static class KeyFileReader
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 8 };

    /// <exception cref="InvalidKeysException">It is not a key file of this version.</exception>
    public static IReadOnlyList<NamedKey> Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, Strict);
            StrictObject root = StrictObject.Of(document.RootElement, "");
            if (root.Number(VersionField, 1, int.MaxValue) != Newest) throw root.Wrong(VersionField, $"must be {Newest}; a newer r1 may have written the file");
            IReadOnlyList<NamedKey> keys = [.. root.Items(KeysField).Select(one => ReadKey(StrictObject.Of(one.Element, one.Path)))];
            root.End();
            CheckUnique(keys);
            return keys;
        }
        catch (JsonException fault)
        {
            string place = fault is { LineNumber: { } line, BytePositionInLine: { } at } ? $" at line {line + 1}, byte {at + 1}" : "";
            throw new InvalidKeysException($"it is not valid JSON, or has a field twice{place}", fault);
        }
        catch (InvalidOperationException fault)
        {
            throw new InvalidKeysException("a text in it is not valid Unicode", fault);
        }
    }

    private static NamedKey ReadKey(StrictObject item)
    {
        string name = item.Text(Name, NamedKey.IsName, "1 to 64 letters, digits, dots, hyphens or underscores, a letter or digit first");
        NamedKey key = new(name, item.Text(Id, KeySecret.IsId, "16 lower-case hexadecimal digits"), ReadHash(item))
        {
            Scopes = ReadScopes(item),
            Created = item.Has(Created) ? item.Time(Created) : null,
            Expires = item.Has(Expires) ? item.Time(Expires) : null,
            Previous = item.Object(Previous) is { } previous ? ReadPrevious(previous) : null,
            Limits = item.Object(Limits) is { } limits ? ReadLimits(limits) : KeyLimits.None,
        };
        item.End();
        return key;
    }

    private static string ReadHash(StrictObject item) => item.Text(Sha256, KeySecret.IsHash, "a SHA-256 as 64 lower-case hexadecimal digits");

    private static AccessScopes ReadScopes(StrictObject item)
    {
        AccessScopes scopes = AccessScopes.None;
        foreach (var (element, path) in item.Items(Scopes))
        {
            AccessScopes one = ScopeName.Parse(element.ValueKind == JsonValueKind.String ? element.GetString() : null);
            if (one == AccessScopes.None) throw new InvalidKeysException($"{path} must be \"{ScopeName.Inference}\" or \"{ScopeName.Admin}\"");
            scopes |= one;
        }

        return scopes != AccessScopes.None ? scopes : throw item.Wrong(Scopes, $"must name \"{ScopeName.Inference}\", \"{ScopeName.Admin}\" or both");
    }

    private static PreviousKey ReadPrevious(StrictObject item)
    {
        PreviousKey previous = new(ReadHash(item), item.Time(Expires));
        item.End();
        return previous;
    }

    private static KeyLimits ReadLimits(StrictObject item)
    {
        KeyLimits limits = new(Limit(MaxConcurrent), Limit(MaxQueued), Limit(RequestsPerMinute), Limit(TokensPerMinute));
        item.End();
        return limits;

        int? Limit(string field) => item.Has(field) ? item.Number(field, 1, KeyLimits.Largest) : null;
    }

    private static void CheckUnique(IReadOnlyList<NamedKey> keys)
    {
        Check(Name, key => [key.Name]);
        Check(Id, key => [key.Id]);
        Check(Sha256, key => key.Previous is { } previous ? [key.Sha256, previous.Sha256] : [key.Sha256]);

        void Check(string field, Func<NamedKey, string[]> of)
        {
            HashSet<string> seen = new(StringComparer.Ordinal);
            for (int i = 0; i < keys.Count; i++)
            {
                if (!of(keys[i]).All(seen.Add)) throw new InvalidKeysException($"{KeysField}[{i}].{field} is the same as another key's");
            }
        }
    }
}
