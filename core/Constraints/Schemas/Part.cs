using System.Text.Json;

namespace R1Serverless.Constraints.Schemas;

/// <summary>The keywords of a schema that have been taken apart already.</summary>
[Flags]
internal enum Taken
{
    None = 0,
    AnyOf = 1,
    OneOf = 2,
    Not = 4,
    If = 8,
    Dependencies = 16,
    Literals = 32,
    References = 64,
}

/// <summary>One schema that a value must satisfy, together with others.</summary>
/// <param name="Schema">An object; `true` and `false` are resolved before.</param>
/// <param name="Path">Its JSON pointer, which also tells parts apart.</param>
internal sealed record Part(JsonElement Schema, string Path, Taken Taken = Taken.None)
{
    public string Key => Taken == Taken.None ? Path : $"{Path}~{(int)Taken}";

    public bool Has(string keyword, out JsonElement value)
    {
        value = default;
        return Schema.ValueKind == JsonValueKind.Object && Schema.TryGetProperty(keyword, out value);
    }

    public Part Child(string keyword, JsonElement schema) => new(schema, $"{Path}/{keyword}");

    public Part Without(Taken taken) => this with { Taken = Taken | taken };
}
