using System.Text.Json;

namespace R1Serverless.Api.OpenAI;

/// <summary>This server's extension of both APIs: <c>webhook</c>, an address or <c>{"url": address}</c>, is called with the result when the request
/// has ended.</summary>
internal static class WebhookFields
{
    private const string Field = "webhook";
    private const int Longest = 2048;

    /// <returns>Null where none is asked for.</returns>
    public static Uri? Read(RequestReader reader)
    {
        if (reader.Optional(Field) is not { } value) return null;
        if (value.ValueKind == JsonValueKind.Object)
        {
            RequestReader inner = new(value, Field, reader.Faults);
            FieldLists.Webhook.Check(inner);
            return inner.Required("url") is { } url ? Read(inner, url, inner.Path("url")) : null;
        }

        if (value.ValueKind == JsonValueKind.String) return Read(reader, value, Field);
        reader.WrongType(Field, "an address or an object with one", value);
        return null;
    }

    private static Uri? Read(RequestReader reader, JsonElement value, string at)
    {
        if (reader.TextOf(value, at) is not { } text) return null;
        if (text.Length <= Longest && Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            && url is { UserInfo: "", Host.Length: > 0 }) return url;
        reader.Faults.Add(at,
            $"'{at}' must be an address such as https://example.com/results, at most {Longest} characters, without user and password.");
        return null;
    }
}
