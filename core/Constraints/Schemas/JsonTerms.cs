using System.Text.Json;
using R1Serverless.Constraints.Automata;
using R1Serverless.Constraints.Expressions;

namespace R1Serverless.Constraints.Schemas;

/// <summary>Terms of JSON itself: white space, strings, literals, any value.</summary>
internal sealed class JsonTerms
{
    private const int MaxIndent = 20;

    private Term? _anyValue;

    public JsonTerms(TermStore store, Whitespace whitespace)
    {
        Store = store;
        Characters = new Characters(store, isJson: true);
        Quote = store.Text("\"");
        var space = store.Text(" ");
        var line = store.Concat(store.Text("\n"), store.Repeat(store.Bytes(ByteSet.Of(' ').With('\t')), 0, MaxIndent));
        Space = whitespace == Whitespace.Flexible ? store.Optional(store.Either(space, line)) : store.Empty;
        var after = whitespace switch
        {
            Whitespace.Flexible => Space,
            Whitespace.Spaced => space,
            _ => store.Empty,
        };
        Comma = store.Concat(Space, store.Text(","), after);
        Colon = store.Concat(whitespace == Whitespace.Flexible ? store.Optional(space) : store.Empty, store.Text(":"), after);
        AnyString = store.Concat(Quote, Characters.AnyText, Quote);
    }

    public TermStore Store { get; }

    public Characters Characters { get; }

    public Term Quote { get; }

    public Term Space { get; }

    public Term Comma { get; }

    public Term Colon { get; }

    public Term AnyString { get; }

    /// <summary>Any value, a rule of its own.</summary>
    public Term AnyValue => _anyValue ??= MakeAnyValue();

    public Term AnyObject => Object(List(Store.Concat(AnyString, Colon, AnyValue), 0, int.MaxValue));

    public Term Object(Term members) => Store.Concat(Store.Text("{"), Space, Enclosed(members), Store.Text("}"));

    public Term Array(Term items) => Store.Concat(Store.Text("["), Space, Enclosed(items), Store.Text("]"));

    /// <summary>Items with commas between them.</summary>
    public Term List(Term item, int min, int max)
    {
        if (max == 0 || max < min)
            return max < min ? Store.None : Store.Empty;
        var some = Store.Concat(item, Store.Repeat(Store.Concat(Comma, item), Math.Max(0, min - 1), max == int.MaxValue ? max : max - 1));
        return min == 0 ? Store.Optional(some) : some;
    }

    public Term Literal(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => String(value.GetString()!),
        JsonValueKind.Number => Number(value.GetRawText()),
        JsonValueKind.Object => Object(Joined([.. value.EnumerateObject().Select(one => Store.Concat(String(one.Name), Colon, Literal(one.Value)))])),
        JsonValueKind.Array => Array(Joined([.. value.EnumerateArray().Select(Literal)])),
        _ => Store.Text(value.GetRawText()),
    };

    public Term String(string text) => Store.Concat(Quote, Characters.Text(text), Quote);

    /// <summary>A value as text without white space, as <see cref="Literal"/> matches it too.</summary>
    public string Written(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => $"\"{Characters.Written(value.GetString()!)}\"",
        JsonValueKind.Object =>
            $"{{{string.Join(',', value.EnumerateObject().Select(one => $"\"{Characters.Written(one.Name)}\":{Written(one.Value)}"))}}}",
        JsonValueKind.Array => $"[{string.Join(',', value.EnumerateArray().Select(Written))}]",
        _ => value.GetRawText(),
    };

    private Term Enclosed(Term inner) => inner == Store.Empty ? inner : inner == Store.None ? inner
        : inner.IsNullable ? Store.Either(Store.Empty, Store.Concat(inner, Space)) : Store.Concat(inner, Space);

    private Term Joined(List<Term> items)
    {
        var result = Store.Empty;
        for (var i = items.Count - 1; i >= 0; i--)
            result = Store.Concat(i == 0 ? Store.Empty : Comma, items[i], result);
        return result;
    }

    // A whole number may be written with or without a fraction of zeros: 1 and 1.0 are the same value.
    private Term Number(string text)
    {
        if (text.AsSpan().IndexOfAny('e', 'E') >= 0)
            return Store.Text(text);
        var dot = text.IndexOf('.', StringComparison.Ordinal);
        if (dot < 0)
            return Store.Concat(Store.Text(text), Store.Optional(Store.Text(".0")));
        return text[dot..].Trim('0') == "." ? Store.Concat(Store.Text(text[..dot]), Store.Optional(Store.Text(".0"))) : Store.Text(text);
    }

    private Term MakeAnyValue()
    {
        var value = Store.Rule("value");
        _anyValue = value;
        var number = new NumberTerms(Store).Any(isInteger: false);
        value.Body = Store.Either(AnyString, number, Store.Text("true"), Store.Text("false"), Store.Text("null"), AnyObject,
            Array(List(value, 0, int.MaxValue)));
        return value;
    }
}
