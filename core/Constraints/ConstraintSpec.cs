using System.Text.Json;
using R1Serverless.Constraints.Schemas;

namespace R1Serverless.Constraints;

/// <summary>The form that an answer must have.</summary>
public abstract record ConstraintSpec
{
    /// <summary>A JSON value that a schema (2020-12, or draft-04 to draft-07) allows.</summary>
    public sealed record JsonSchema(JsonElement Schema, Whitespace Whitespace = Whitespace.Flexible) : ConstraintSpec;

    /// <summary>Any JSON object.</summary>
    public sealed record JsonObject(Whitespace Whitespace = Whitespace.Flexible) : ConstraintSpec;

    /// <summary>A text that a regular expression (as ECMAScript writes them) matches from end to end.</summary>
    public sealed record Regex(string Expression) : ConstraintSpec;

    /// <summary>One of several texts.</summary>
    public sealed record Choice(IReadOnlyList<string> Texts) : ConstraintSpec;

    /// <summary>A text of a grammar in GBNF, whose first rule is `root`.</summary>
    public sealed record Grammar(string Source) : ConstraintSpec;
}
