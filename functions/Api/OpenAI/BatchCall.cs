using System.Globalization;

namespace R1Serverless.Api.OpenAI;

/// <summary>The body of POST /v1/batches.</summary>
/// <param name="Endpoint">A path that <see cref="CompletionPaths.Find"/> knows.</param>
/// <param name="Metadata">At most 16 pairs; null where none was sent.</param>
/// <param name="OutputLifetime">How long its files are kept; null until they are deleted.</param>
internal sealed record BatchCall(
    string InputFileId, string Endpoint, TimeSpan Window, IReadOnlyDictionary<string, string>? Metadata, TimeSpan? OutputLifetime)
{
    private const int MaxPairs = 16, LongestKey = 64, LongestValue = 512;

    private static readonly TimeSpan LongestWindow = TimeSpan.FromHours(24);

    private const string Lifetime = "output_expires_after";

    private static readonly KnownFields Fields = new(["input_file_id", "endpoint", "completion_window", "metadata", Lifetime], [], []);

    /// <summary>The call in a body, or null with the first fault noted.</summary>
    public static BatchCall? Read(ReadOnlyMemory<byte> body, ValidationResult faults)
    {
        using var document = RequestBody.Parse(body, faults);
        if (document is null) return null;
        RequestReader reader = new(document.RootElement, "", faults);
        Fields.Check(reader);
        var file = Text(reader, "input_file_id");
        var endpoint = Text(reader, "endpoint");
        if (endpoint is not null && CompletionPaths.Find(endpoint) is null)
            faults.Add("endpoint", $"'endpoint' must be {CompletionPaths.OfBatches}.");
        var window = Text(reader, "completion_window");
        var time = window is null ? null : ParseWindow(window);
        if (window is not null && time is null)
            faults.Add("completion_window", "'completion_window' must be \"24h\", or less as in \"90m\" or \"2h\".");
        IReadOnlyDictionary<string, string>? metadata = reader.Object("metadata") is { } pairs ? ReadMetadata(pairs) : null;
        var lifetime = ExpiryFields.Read(reader, Lifetime);
        return faults.First is null ? new BatchCall(file!, endpoint!, time!.Value, metadata, lifetime) : null;
    }

    /// <summary>Whole minutes or hours, up to 24 hours; null for anything else.</summary>
    public static TimeSpan? ParseWindow(string text)
    {
        if (text.Length is < 2 or > 6 || text[^1] is not ('h' or 'm')) return null;
        if (!int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count < 1) return null;
        var window = text[^1] == 'h' ? TimeSpan.FromHours(count) : TimeSpan.FromMinutes(count);
        return window <= LongestWindow ? window : null;
    }

    /// <summary>What <see cref="ParseWindow"/> reads.</summary>
    public static string WindowText(TimeSpan window)
    {
        (var count, var unit) = window.Minutes == 0 ? (window.TotalHours, 'h') : (window.TotalMinutes, 'm');
        return string.Create(CultureInfo.InvariantCulture, $"{count:F0}{unit}");
    }

    private static string? Text(RequestReader reader, string name) => reader.Required(name) is { } value ? reader.TextOf(value, name) : null;

    private static Dictionary<string, string> ReadMetadata(RequestReader reader)
    {
        Dictionary<string, string> pairs = new(StringComparer.Ordinal);
        foreach (var pair in reader.Element.EnumerateObject())
        {
            if (pairs.Count == MaxPairs || pair.Name.Length > LongestKey)
            {
                reader.Faults.Add("metadata", $"'metadata' may have {MaxPairs} pairs, with keys of at most {LongestKey} characters.");
                break;
            }

            var value = reader.TextOf(pair.Value, reader.Path(Truncated.Name(pair.Name))) ?? "";
            if (value.Length > LongestValue)
                reader.Faults.Add(reader.Path(Truncated.Name(pair.Name)), $"Values of 'metadata' have at most {LongestValue} characters.");
            pairs[pair.Name] = value;
        }

        return pairs;
    }
}
