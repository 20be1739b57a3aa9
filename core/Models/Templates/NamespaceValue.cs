namespace R1Serverless.Models.Templates;

/// <summary>What <c>namespace()</c> gives: names that may be set from inner scopes too.</summary>
internal sealed class NamespaceValue : Value
{
    private readonly Dictionary<string, Value> _values = new(StringComparer.Ordinal);

    public override string Kind => "a namespace";

    public void Set(string name, Value value) => _values[name] = value;

    /// <summary>Without what is in it, which may be itself.</summary>
    public override MarkedText ToText() => MarkedText.OfTemplate("<Namespace>");

    public override Value? FindAttribute(string name) => _values.GetValueOrDefault(name);

    public override Value? FindItem(Value key) => key is StringValue { Text: var name } ? _values.GetValueOrDefault(name.Text) : null;
}
