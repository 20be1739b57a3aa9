using System.Globalization;

namespace R1Serverless.Api.OpenAI;

/// <summary>How long a file is kept, as OpenAI's API says it: <c>{"anchor": "created_at", "seconds": N}</c>, an hour to 30 days from its
/// making.</summary>
internal static class ExpiryFields
{
    /// <summary>The parts of a form that say so.</summary>
    public const string AnchorPart = "expires_after[anchor]", SecondsPart = "expires_after[seconds]";

    private const string Anchor = "created_at";
    private const int Least = 3600, Most = 30 * 24 * 3600;

    private static readonly KnownFields Fields = new(["anchor", "seconds"], [], []);

    /// <returns>Null where the object has no such field: the file is kept until it is deleted.</returns>
    public static TimeSpan? Read(RequestReader body, string name)
    {
        if (body.Object(name) is not { } reader) return null;
        Fields.Check(reader);
        if (reader.Required("anchor") is { } anchor) CheckAnchor(reader.TextOf(anchor, reader.Path("anchor")), reader.Path("anchor"), reader.Faults);
        var seconds = reader.Required("seconds") is { } value ? reader.IntegerOf(value, reader.Path("seconds"), Least, Most) : null;
        return seconds is { } time ? TimeSpan.FromSeconds(time) : null;
    }

    /// <summary>The same in the parts of a form.</summary>
    /// <param name="fields">What was sent, under the parts' names.</param>
    public static TimeSpan? Read(IReadOnlyDictionary<string, string> fields, ValidationResult faults)
    {
        string? anchor = fields.GetValueOrDefault(AnchorPart), text = fields.GetValueOrDefault(SecondsPart);
        if (anchor is null && text is null) return null;
        CheckAnchor(anchor, AnchorPart, faults);
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds is >= Least and <= Most)
            return TimeSpan.FromSeconds(seconds);
        faults.Add(SecondsPart, $"'{SecondsPart}' must be a whole number from {Least} to {Most}.");
        return null;
    }

    private static void CheckAnchor(string? anchor, string at, ValidationResult faults)
    {
        if (anchor != Anchor) faults.Add(at, $"'{at}' must be \"{Anchor}\".");
    }
}
