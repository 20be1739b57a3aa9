using System.Text;
using System.Text.Json;
using R1Serverless.Constraints;
using R1Serverless.Constraints.Automata;
using R1Serverless.Constraints.Tokens;

namespace R1Serverless.Tests.Constraints;

public sealed class JsonSchemaTests
{
    private const string Conditional = """
        {"type":"object","properties":{"k":{"enum":["x","y"]},"v":{"type":["integer","string"]}},"required":["k","v"],
        "if":{"properties":{"k":{"const":"x"}}},"then":{"properties":{"v":{"type":"integer"}}},"else":{"properties":{"v":{"type":"string"}}}}
        """;

    private static readonly TokenTrie Trie = new([.. Enumerable.Range(0, 256).Select(value => (byte[]?)[(byte)value])]);

    [Theory]
    [InlineData("""{"type":"integer","minimum":-5,"exclusiveMaximum":120}""", "-5 0 7 119", "-6 120 121 1.5 01")]
    [InlineData("""{"minimum":0.5,"maximum":1.25,"type":"number"}""", "0.5 0.50 1 1.25 1.249", "0.49 1.26 2 -1 1.2500001")]
    [InlineData("""{"type":"number","exclusiveMinimum":0}""", "0.001 1 99.5", "0 0.0 -1")]
    [InlineData("""{"type":"number","multipleOf":0.01}""", "1 0.25 -3.10 7.000", "0.001 1.005")]
    [InlineData("""{"type":"integer","multipleOf":7,"maximum":50}""", "0 7 49 -14", "1 50 56")]
    [InlineData("""{"enum":["a","b",3,null]}""", "\"a\" 3 null 3.0", "\"c\" 4 \"ab\"")]
    [InlineData("""{"type":"string","minLength":2,"maxLength":3}""", "\"ab\" \"éü€\" \"\\\"\\n\"", "\"a\" \"abcd\"")]
    [InlineData("""{"type":"string","pattern":"b"}""", "\"abc\" \"b\"", "\"ac\" \"\"")]
    [InlineData("""{"type":"string","pattern":"^\\\\\"[a-c]+$"}""", "\"\\\\\\\"abc\"", "\"abc\"")]
    [InlineData("""{"type":"string","format":"date"}""", "\"2024-02-29\" \"2023-12-31\"", "\"2023-02-29\" \"2023-13-01\" \"x\"")]
    [InlineData("""{"type":"string","format":"ipv4"}""", "\"10.0.255.1\"", "\"256.0.0.1\" \"1.2.3\"")]
    [InlineData("""{"type":"string","format":"uuid"}""", "\"123e4567-e89b-12d3-a456-426614174000\"", "\"123e4567\"")]
    [InlineData("""{"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":2}""", "[1] [1,2]", "[] [1,2,3] [true]")]
    [InlineData("""{"type":"array","prefixItems":[{"const":1},{"const":"x"}],"items":false}""", "[] [1] [1,\"x\"]", "[\"x\"] [1,\"x\",1]")]
    [InlineData("""{"properties":{"a":{"type":"null"},"b":{}},"required":["b"],"additionalProperties":false,"type":"object"}""",
        "{\"b\":1} {\"a\":null,\"b\":[]}", "{} {\"a\":null} {\"b\":1,\"c\":1} {\"a\":1,\"b\":1}")]
    [InlineData("""{"type":"object","patternProperties":{"^n":{"type":"integer"}},"additionalProperties":{"type":"boolean"}}""",
        "{} {\"n1\":1,\"x\":true}", "{\"n1\":true} {\"x\":1}")]
    [InlineData("""{"type":"object","minProperties":1,"maxProperties":2,"properties":{"a":{},"b":{},"c":{}},"additionalProperties":false}""",
        "{\"a\":1} {\"a\":1,\"c\":1}", "{} {\"a\":1,\"b\":1,\"c\":1}")]
    [InlineData("""{"type":"object","propertyNames":{"maxLength":2}}""", "{\"ab\":1}", "{\"abc\":1}")]
    [InlineData("""{"oneOf":[{"type":"integer"},{"type":"string"}]}""", "1 \"a\"", "null 1.5")]
    [InlineData("""{"allOf":[{"type":"integer"},{"minimum":3}],"maximum":5}""", "3 5", "2 6 \"a\"")]
    [InlineData("""{"type":"string","not":{"enum":["a","bb"]}}""", "\"b\" \"aa\" \"\"", "\"a\" \"bb\" 1")]
    [InlineData("""{"$ref":"#/$defs/tree","$defs":{"tree":{"type":"array","items":{"$ref":"#/$defs/tree"}}}}""", "[] [[],[[]]]", "[1] [[]")]
    [InlineData(Conditional,
        "{\"k\":\"x\",\"v\":1} {\"k\":\"y\",\"v\":\"1\"}", "{\"k\":\"x\",\"v\":\"1\"} {\"k\":\"y\",\"v\":1}")]
    [InlineData("""{"type":"object","properties":{"a":{},"b":{}},"dependentRequired":{"a":["b"]}}""", "{} {\"b\":1} {\"a\":1,\"b\":1}", "{\"a\":1}")]
    public void A_schema_takes_what_is_valid_and_nothing_else(string schema, string valid, string invalid)
    {
        var grammar = Compile(schema);
        Assert.All(valid.Split(' '), text => Assert.True(Accepts(grammar, text), text));
        Assert.All(invalid.Split(' '), text => Assert.False(Accepts(grammar, text), text));
    }

    [Theory]
    [InlineData("""{"type":"array","contains":{"type":"integer"}}""", "#", "contains")]
    [InlineData("""{"properties":{"a/b":{"type":"array","uniqueItems":true}}}""", "#/properties/a~1b", "uniqueItems")]
    [InlineData("""{"properties":{"a":{"type":"string","pattern":"(a)\\1"}}}""", "#/properties/a", "pattern")]
    [InlineData("""{"items":{"type":"text"}}""", "#/items", "type")]
    [InlineData("""{"type":"string","format":"color"}""", "#", "format")]
    [InlineData("""{"$ref":"https://example.com/other"}""", "#", "$ref")]
    [InlineData("""{"oneOf":[{"type":"integer"},{"minimum":3}]}""", "#", "oneOf")]
    [InlineData("""{"type":"integer","minimum":3,"maximum":2}""", "#", "schema")]
    [InlineData("""{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}},"required":["a"]}}}""", "#", "schema")]
    [InlineData("""{"$ref":"#"}""", "", "")]
    [InlineData("""{"type":"string","minLength":-1}""", "#", "minLength")]
    public void What_is_not_supported_is_named(string schema, string path, string keyword)
    {
        if (keyword.Length == 0)
        {
            // A schema that is only itself allows everything.
            Assert.True(Accepts(Compile(schema), "1"));
            return;
        }
        var error = Assert.Throws<ConstraintException>(() => Compile(schema));
        Assert.Equal((path, keyword), (error.Path, error.Keyword));
    }

    [Fact]
    public void An_answer_may_be_indented_but_not_without_end()
    {
        var grammar = Compile("""{"type":"object","properties":{"a":{"type":"array"}},"required":["a"],"additionalProperties":false}""");
        Assert.True(Accepts(grammar, "{\n  \"a\": [\n    1,\n    2\n  ]\n}"));
        Assert.False(Accepts(grammar, "{" + new string(' ', 2) + "\"a\": []}"));
    }

    /// <summary>Random walks end in documents that the automaton calls whole, are JSON, and hold what the schema says.</summary>
    [Fact]
    public void Random_walks_are_documents_of_the_schema()
    {
        var grammar = Compile("""
            {"type":"object","properties":{"id":{"type":"integer","minimum":10,"maximum":99},"tag":{"enum":["x","yy"]},
            "list":{"type":"array","items":{"type":"boolean"},"maxItems":3}},"required":["id","list"],"additionalProperties":false}
            """);
        var random = new Random(7);
        for (var run = 0; run < 200; run++)
        {
            var matcher = grammar.Match();
            var text = new List<byte>();
            while (!matcher.IsComplete)
            {
                var mask = matcher.Mask().ToArray();
                var allowed = Enumerable.Range(0, Trie.Count).Where(token => (mask[token >> 5] >> token & 1) != 0).ToList();
                Assert.NotEmpty(allowed);
                var token = allowed[random.Next(allowed.Count)];
                Assert.True(matcher.Accept(token));
                text.Add((byte)token);
            }
            using var document = JsonDocument.Parse(text.ToArray());
            Assert.InRange(document.RootElement.GetProperty("id").GetDecimal(), 10, 99);
            Assert.InRange(document.RootElement.GetProperty("list").GetArrayLength(), 0, 3);
        }
    }

    private static CompiledGrammar Compile(string schema)
    {
        using var document = JsonDocument.Parse(schema);
        return Constraint.Compile(new ConstraintSpec.JsonSchema(document.RootElement.Clone()), Trie);
    }

    private static bool Accepts(CompiledGrammar grammar, string text)
    {
        var matcher = grammar.Match();
        return matcher.Accept(Encoding.UTF8.GetBytes(text)) && matcher.IsComplete;
    }
}
