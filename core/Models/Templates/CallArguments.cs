namespace R1Serverless.Models.Templates;

/// <summary>What stands in the brackets of a call, evaluated.</summary>
/// <param name="positional">Those without a name.</param>
/// <param name="named">Those with one, each name once.</param>
/// <param name="callee">What is called, for messages.</param>
internal sealed class CallArguments(IReadOnlyList<Value> positional, IReadOnlyDictionary<string, Value> named, string callee = "")
{
    private static readonly Dictionary<string, Value> NoNames = [];

    public static CallArguments None { get; } = new([], NoNames);

    public IReadOnlyList<Value> Positional { get; } = positional;

    public IReadOnlyDictionary<string, Value> Named { get; } = named;

    public string Callee => callee;

    /// <summary>The same for a callee of this name.</summary>
    public CallArguments Of(string name) => new(Positional, Named, name);

    /// <summary>All but the first ones.</summary>
    public CallArguments Skip(int count) => new([.. Positional.Skip(count)], Named, callee);

    /// <summary>Refuses arguments that the callee doesn't have.</summary>
    /// <exception cref="TemplateException">There are too many, one has an unknown name, or one comes twice.</exception>
    public CallArguments Allow(params ReadOnlySpan<string> names)
    {
        if (Positional.Count > names.Length)
            throw new TemplateException($"'{callee}' takes at most {names.Length} arguments, not {Positional.Count}.");
        foreach (var name in Named.Keys)
        {
            var place = names.IndexOf(name);
            if (place < 0 || place < Positional.Count)
                throw new TemplateException(place < 0 ? $"'{callee}' has no argument '{name}'." : $"'{callee}' gets its argument '{name}' twice.");
        }

        return this;
    }

    /// <summary>Null where it isn't given.</summary>
    public Value? Find(int place, string name) => place < Positional.Count ? Positional[place] : Named.GetValueOrDefault(name);

    /// <exception cref="TemplateException">It isn't given.</exception>
    public Value Require(int place, string name) =>
        Find(place, name) ?? throw new TemplateException($"'{callee}' lacks its argument '{name}'.");

    /// <exception cref="TemplateException">It is no string, or not given and there is no fallback.</exception>
    public MarkedText Text(int place, string name, MarkedText? fallback = null) => Find(place, name) switch
    {
        StringValue text => text.Text,
        null when fallback is not null => fallback,
        null => throw new TemplateException($"'{callee}' lacks its argument '{name}'."),
        var other => throw new TemplateException($"'{callee}' takes a string as '{name}', not {other.Kind}."),
    };

    /// <summary>Null where it isn't given, or none.</summary>
    /// <exception cref="TemplateException">It is no string.</exception>
    public MarkedText? FindText(int place, string name) => Find(place, name) is null or NoneValue ? null : Text(place, name);

    /// <exception cref="TemplateException">It is no whole number.</exception>
    public long Integer(int place, string name, long fallback) => Find(place, name) switch
    {
        IntegerValue number => number.Value,
        null => fallback,
        var other => throw new TemplateException($"'{callee}' takes a whole number as '{name}', not {other.Kind}."),
    };

    public bool Flag(int place, string name, bool fallback) => Find(place, name)?.IsTrue ?? fallback;
}
