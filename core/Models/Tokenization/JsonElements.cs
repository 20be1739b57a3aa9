using System.Text.Json;

namespace R1Serverless.Models.Tokenization;

/// <summary>How tokenizer.json's optional members are read.</summary>
internal static class JsonElements
{
    /// <summary>The member, or null where it is missing or null.</summary>
    public static JsonElement? Member(this JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var member) && member.ValueKind != JsonValueKind.Null ? member
        : null;

    /// <summary>The member, or null where it is missing or null.</summary>
    public static JsonElement? Member(this IReadOnlyDictionary<string, JsonElement> members, string name) =>
        members.TryGetValue(name, out var member) && member.ValueKind != JsonValueKind.Null ? member : null;

    /// <summary>A member's text; empty where it is missing or null.</summary>
    public static string Text(this JsonElement element, string name) => element.Member(name)?.GetString() ?? string.Empty;

    public static bool Flag(this JsonElement element, string name, bool missing = false) => element.Member(name)?.GetBoolean() ?? missing;
}
