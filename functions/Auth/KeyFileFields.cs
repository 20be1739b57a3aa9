using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace R1Serverless.Auth;

/// <summary>A value of a key file that is none; the message says what was expected, behind "must be".</summary>
internal sealed class UnexpectedValueException(string expected) : JsonException(expected);

/// <summary>A field of a key file that has one form only; null is none.</summary>
internal abstract class StrictField<T>(string expected) : JsonConverter<T>
{
    public sealed override bool HandleNull => true;

    public sealed override T Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        TryRead(ref reader, out var value) ? value : throw new UnexpectedValueException(expected);

    protected abstract bool TryRead(ref Utf8JsonReader reader, out T value);

    protected static string? Text(ref Utf8JsonReader reader) => reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
}

internal abstract class TextField(Func<string, bool> isValid, string expected) : StrictField<string>(expected)
{
    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);

    protected override bool TryRead(ref Utf8JsonReader reader, out string value) =>
        (value = Text(ref reader) ?? "") is { Length: > 0 } && isValid(value);
}

internal sealed class KeyName() : TextField(ApiKey.IsName, ApiKey.NameForm);

internal sealed class KeyId() : TextField(KeySecret.IsId, "16 lower-case hexadecimal digits");

internal sealed class KeyHash() : TextField(KeySecret.IsHash, "a SHA-256 as 64 lower-case hexadecimal digits");

internal sealed class WholeNumber() : StrictField<int?>($"a whole number from 1 to {KeyLimits.Largest}")
{
    public override void Write(Utf8JsonWriter writer, int? value, JsonSerializerOptions options) => writer.WriteNumberValue(value!.Value);

    protected override bool TryRead(ref Utf8JsonReader reader, out int? value)
    {
        value = reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var number) ? number : null;
        return value is >= 1 and <= KeyLimits.Largest;
    }
}

/// <summary>In ISO 8601, in UTC, to the second.</summary>
internal sealed class UtcTime() : StrictField<DateTimeOffset>(Form)
{
    public const string Form = "a time in UTC such as 2027-01-31T00:00:00Z";

    public static string Format(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    public static bool TryParse(string? text, out DateTimeOffset time) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time) && text!.EndsWith('Z');

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) => writer.WriteStringValue(Format(value));

    protected override bool TryRead(ref Utf8JsonReader reader, out DateTimeOffset value) => TryParse(Text(ref reader), out value);
}

/// <summary>The same where the field need not be there.</summary>
internal sealed class OptionalUtcTime() : StrictField<DateTimeOffset?>(UtcTime.Form)
{
    public override void Write(Utf8JsonWriter writer, DateTimeOffset? value, JsonSerializerOptions options) =>
        writer.WriteStringValue(UtcTime.Format(value!.Value));

    protected override bool TryRead(ref Utf8JsonReader reader, out DateTimeOffset? value) =>
        (value = UtcTime.TryParse(Text(ref reader), out var time) ? time : null) is not null;
}

/// <summary>A list of names, not empty.</summary>
internal sealed class ScopeNames() : StrictField<AccessScopes>("a list of \"inference\", \"admin\" or both")
{
    public static IEnumerable<string> Of(AccessScopes scopes) =>
        Enum.GetValues<AccessScopes>().Where(one => one != AccessScopes.None && scopes.HasFlag(one)).Select(one => $"{one}".ToLowerInvariant());

    public override void Write(Utf8JsonWriter writer, AccessScopes value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        foreach (var scope in Of(value)) writer.WriteStringValue(scope);
        writer.WriteEndArray();
    }

    protected override bool TryRead(ref Utf8JsonReader reader, out AccessScopes value)
    {
        value = AccessScopes.None;
        if (reader.TokenType != JsonTokenType.StartArray) return false;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            var scope = Text(ref reader) switch
            {
                "inference" => AccessScopes.Inference,
                "admin" => AccessScopes.Admin,
                _ => AccessScopes.None,
            };
            if (scope == AccessScopes.None) return false;
            value |= scope;
        }

        return value != AccessScopes.None;
    }
}
