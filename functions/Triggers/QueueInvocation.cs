using System.Security.Cryptography;
using System.Text.Json;
using R1Serverless.Queues;

namespace R1Serverless.Triggers;

/// <summary>A message that a trigger took from a queue.</summary>
/// <param name="Id">The queue's own, the same at each delivery; a digest of the message where the queue says none.</param>
/// <param name="Deliveries">This time included; 1 where the queue does not say.</param>
/// <param name="Receipt">What the host holds the message by; null where none was told.</param>
internal sealed record TriggerMessage(string Id, ReadOnlyMemory<byte> Body, int Deliveries, string? Receipt);

/// <summary>
/// The host's invocation of a queue's function, <c>{"Data":{"job":…},"Metadata":{…}}</c>. Values come as JSON in a string, which may hold a string again, or as they are; several
/// messages as one array, and then each of Metadata's names ends in <c>Array</c>.
/// </summary>
internal static class QueueInvocation
{
    /// <summary>The messages, or null where this is no invocation.</summary>
    public static IReadOnlyList<TriggerMessage>? Read(ReadOnlyMemory<byte> invocation)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(invocation);
            if (Find(document.RootElement, "Data") is not { ValueKind: JsonValueKind.Object } data || data.EnumerateObject().ToArray() is not [{ Value: var value }]) return null;
            Dictionary<string, string> told = Told(Find(document.RootElement, "Metadata"));
            string text = Text(value);
            return Elements(text) is not { Length: > 0 } several
                ? [Message(text, name => told.GetValueOrDefault(name))]
                : [.. several.Select((one, i) => Message(one, name => told.TryGetValue($"{name}Array", out string? all) ? Present(Elements(all)?.ElementAtOrDefault(i)) : null))];
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static TriggerMessage Message(string text, Func<string, string?> told)
    {
        string? first = told("ApplicationProperties") is { } properties && Parse(properties) is { ValueKind: JsonValueKind.Object } named && Find(named, IJobQueue.FirstIdProperty) is { } id ? Text(id) : null;
        return new TriggerMessage(
            first ?? told("Id") ?? told("MessageId") ?? told("SequenceNumber") ?? Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(text)))[..32],
            JobText.Read(text),
            int.TryParse(told("DequeueCount") ?? told("DeliveryCount"), System.Globalization.NumberStyles.None, null, out int count) ? Math.Max(count, 1) : 1,
            told("LockToken"));
    }

    private static Dictionary<string, string> Told(JsonElement? metadata)
    {
        Dictionary<string, string> told = new(StringComparer.OrdinalIgnoreCase);
        JsonElement? named = metadata is { ValueKind: JsonValueKind.String } written ? Parse(Text(written)) : metadata;
        if (named is not { ValueKind: JsonValueKind.Object } all) return told;
        foreach (JsonProperty one in all.EnumerateObject())
        {
            if (Present(Text(one.Value)) is { } text) told[one.Name] = text;
        }

        return told;
    }

    private static string? Present(string? text) => text is { Length: > 0 } and not "null" ? text : null;

    /// <summary>A value without its quotes, however many there are; what is no string as it is written.</summary>
    private static string Text(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String) return value.GetRawText();
        string text = value.GetString()!;
        while (text.StartsWith('"') && Parse(text) is { ValueKind: JsonValueKind.String } inner) text = inner.GetString()!;
        return text;
    }

    /// <summary>Null where it is no array.</summary>
    private static string[]? Elements(string text) =>
        text.AsSpan().TrimStart().StartsWith("[") && Parse(text) is { ValueKind: JsonValueKind.Array } array ? [.. array.EnumerateArray().Select(Text)] : null;

    private static JsonElement? Find(JsonElement element, string name)
    {
        if (element.ValueKind != JsonValueKind.Object) return null;
        return element.TryGetProperty(name, out JsonElement value) ? value : null;
    }

    private static JsonElement? Parse(string text)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
