using System.Text.Json;

namespace R1Serverless.Models.Templates;

/// <summary>Values of JSON that a client sent: every text in them, names too, is a user's.</summary>
internal static class JsonValues
{
    /// <exception cref="TemplateException">It is nested too deep.</exception>
    public static Value Of(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.String => User(json.GetString()!),
        JsonValueKind.Number when json.TryGetInt64(out var whole) => IntegerValue.Of(whole),
        JsonValueKind.Number => new FloatValue(json.GetDouble()),
        JsonValueKind.True => BooleanValue.True,
        JsonValueKind.False => BooleanValue.False,
        JsonValueKind.Array => new ListValue([.. json.EnumerateArray().Select(Of)]),
        JsonValueKind.Object =>
            new DictionaryValue(json.EnumerateObject().Select(member => KeyValuePair.Create(User(member.Name), Of(member.Value)))),
        _ => NoneValue.Instance,
    };

    private static Value User(string text) => new StringValue(MarkedText.OfUser(text));
}
