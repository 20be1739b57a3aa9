using System.Text.Json;
using R1Serverless.Constraints.Automata;

namespace R1Serverless.Constraints.Schemas;

/// <summary>A schema's text with what it refers to inside itself.</summary>
internal sealed class SchemaDocument
{
    private readonly Dictionary<string, Part> _names = new(StringComparer.Ordinal);

    public SchemaDocument(JsonElement root)
    {
        Root = new Part(root, "#");
        var dialect = Root.Has("$schema", out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
        IgnoresSiblings = dialect.Contains("draft-0", StringComparison.Ordinal);
        Index(Root, "");
    }

    public Part Root { get; }

    /// <summary>Until draft-07, what stands beside a reference does not count.</summary>
    public bool IgnoresSiblings { get; }

    public Part Resolve(Part from, JsonElement reference)
    {
        var text = reference.ValueKind == JsonValueKind.String ? reference.GetString()! : "";
        if (_names.TryGetValue(text, out var named))
            return named;
        var hash = text.IndexOf('#', StringComparison.Ordinal);
        var (address, fragment) = hash < 0 ? (text, "") : (text[..hash], text[(hash + 1)..]);
        var start = address.Length == 0 ? Root : _names.GetValueOrDefault(address) ?? throw Unknown(from, text);
        return Walk(start, Uri.UnescapeDataString(fragment)) ?? throw Unknown(from, text);
    }

    private static Part? Walk(Part start, string pointer)
    {
        if (pointer.Length == 0)
            return start;
        if (pointer[0] != '/')
            return null;
        var element = start.Schema;
        foreach (var step in pointer[1..].Split('/'))
        {
            var name = step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            if (element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var child))
                element = child;
            else if (element.ValueKind == JsonValueKind.Array && int.TryParse(name, out var index) && (uint)index < element.GetArrayLength())
                element = element[index];
            else
                return null;
        }
        return new Part(element, start.Path + pointer);
    }

    private static ConstraintException Unknown(Part from, string text) =>
        new(from.Path, "$ref", $"'{text}' is not found in this schema; expected a reference within it");

    private void Index(Part part, string address)
    {
        if (part.Schema.ValueKind == JsonValueKind.Object)
        {
            if ((part.Has("$id", out var id) || part.Has("id", out id)) && id.ValueKind == JsonValueKind.String)
            {
                _names.TryAdd(id.GetString()!, part);
                if (Uri.TryCreate(address, UriKind.Absolute, out var parent) && Uri.TryCreate(parent, id.GetString(), out var whole))
                    _names.TryAdd(address = whole.ToString(), part);
                else
                    address = id.GetString()!;
                _names.TryAdd(address.TrimEnd('#'), part);
            }
            if ((part.Has("$anchor", out var anchor) || part.Has("$dynamicAnchor", out anchor)) && anchor.ValueKind == JsonValueKind.String)
                _names.TryAdd("#" + anchor.GetString(), part);
            foreach (var property in part.Schema.EnumerateObject())
            {
                if (property.Name is not ("enum" or "const" or "default" or "examples"))
                    Index(part.Child(property.Name, property.Value), address);
            }
        }
        else if (part.Schema.ValueKind == JsonValueKind.Array)
        {
            var index = 0;
            foreach (var item in part.Schema.EnumerateArray())
                Index(part.Child($"{index++}", item), address);
        }
    }
}
