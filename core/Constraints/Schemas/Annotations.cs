using System.Collections.Frozen;

namespace R1Serverless.Constraints.Schemas;

/// <summary>Keywords that say nothing about which values are valid.</summary>
internal static class Annotations
{
    private static readonly FrozenSet<string> Names = FrozenSet.Create(StringComparer.Ordinal,
        "$schema", "$id", "id", "$comment", "$anchor", "title", "description", "default", "examples", "example", "deprecated", "readOnly",
        "writeOnly", "$defs", "definitions", "contentEncoding", "contentMediaType");

    public static bool Has(string name) => Names.Contains(name);
}
