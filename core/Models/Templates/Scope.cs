namespace R1Serverless.Models.Templates;

/// <summary>The names of a block, a loop's turn or a macro's call; those of outer scopes can be read from it but not set.</summary>
internal sealed class Scope(Scope? outer)
{
    private Dictionary<string, Value>? _values;

    public Value? Find(string name)
    {
        for (var scope = this; scope is not null; scope = scope.Outer)
        {
            if (scope._values is { } values && values.TryGetValue(name, out var value))
                return value;
        }

        return null;
    }

    public void Set(string name, Value value) => (_values ??= new(StringComparer.Ordinal))[name] = value;

    private Scope? Outer => outer;
}
