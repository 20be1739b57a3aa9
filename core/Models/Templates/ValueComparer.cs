namespace R1Serverless.Models.Templates;

/// <summary>Python's <c>==</c> and order. As a comparer of keys it takes what Python can hash.</summary>
internal sealed class ValueComparer : IEqualityComparer<Value>
{
    public static ValueComparer Instance { get; } = new();

    public static bool IsKey(Value value) => value switch
    {
        ListValue { IsTuple: true } tuple => tuple.Elements.All(IsKey),
        StringValue or NumberValue or NoneValue => true,
        _ => false,
    };

    public static bool AreEqual(Value left, Value right) => (left, right) switch
    {
        (IntegerValue a, IntegerValue b) => a.Value == b.Value,
        (NumberValue a, NumberValue b) => a.Number == b.Number,
        (StringValue a, StringValue b) => string.Equals(a.Text.Text, b.Text.Text, StringComparison.Ordinal),
        (ListValue a, ListValue b) => a.IsTuple == b.IsTuple && a.Elements.Count == b.Elements.Count
            && a.Elements.Zip(b.Elements).All(pair => AreEqual(pair.First, pair.Second)),
        (DictionaryValue a, DictionaryValue b) => a.Entries.Count == b.Entries.Count
            && a.Entries.All(entry => b.Entries.TryGetValue(entry.Key, out var other) && AreEqual(entry.Value, other)),
        (UndefinedValue, UndefinedValue) => true,
        _ => ReferenceEquals(left, right),
    };

    /// <summary>Below 0 where the left comes first.</summary>
    /// <exception cref="TemplateException">Values of these kinds have no order.</exception>
    public static int Compare(Value left, Value right)
    {
        switch (left, right)
        {
            case (IntegerValue a, IntegerValue b):
                return a.Value.CompareTo(b.Value);
            case (NumberValue a, NumberValue b):
                return a.Number.CompareTo(b.Number);
            case (StringValue a, StringValue b):
                return PythonText.Compare(a.Text.Text, b.Text.Text);
            case (ListValue a, ListValue b) when a.IsTuple == b.IsTuple:
                for (var i = 0; i < Math.Min(a.Elements.Count, b.Elements.Count); i++)
                {
                    if (!AreEqual(a.Elements[i], b.Elements[i]))
                        return Compare(a.Elements[i], b.Elements[i]);
                }

                return a.Elements.Count.CompareTo(b.Elements.Count);
            default:
                throw (left as UndefinedValue ?? right as UndefinedValue) is { } missing
                    ? new TemplateException(missing.Reason)
                    : new TemplateException($"{Sentence.Begin(left.Kind)} can't be compared with {right.Kind}.");
        }
    }

    public bool Equals(Value? x, Value? y) => x is not null && y is not null && AreEqual(x, y);

    /// <exception cref="TemplateException">It can't be a key.</exception>
    public int GetHashCode(Value obj) => obj switch
    {
        NumberValue number => number.Number.GetHashCode(),
        StringValue text => text.Text.Text.GetHashCode(StringComparison.Ordinal),
        NoneValue => 1,
        ListValue { IsTuple: true } tuple => tuple.Elements.Aggregate(17, (hash, one) => HashCode.Combine(hash, GetHashCode(one))),
        _ => throw new TemplateException($"{Sentence.Begin(obj.Kind)} can't be a key."),
    };
}
