using System.Diagnostics;
using System.Text;
using System.Text.Json;
using R1Serverless.Constraints;
using R1Serverless.Constraints.Automata;
using R1Serverless.Constraints.Tokens;

namespace R1Serverless.Tests.Constraints;

public sealed class ConstraintTests
{
    // Every byte is a token, and some tokens are several bytes; the last is an end token.
    private static readonly TokenTrie Trie = new([
        .. Enumerable.Range(0, 256).Select(value => (byte[]?)[(byte)value]), "\": "u8.ToArray(), "true"u8.ToArray(), "ab"u8.ToArray(),
        "abc\""u8.ToArray(), "héé"u8.ToArray(), [0xA9, (byte)'"'], null]);

    [Theory]
    [InlineData("a+b", "aab", "b")]
    [InlineData("^(cat|dog)s?$", "dogs", "dogss")]
    [InlineData(@"\d{3}-\d{2,4}", "123-4567", "123-4")]
    [InlineData("[^a-y]é.", "zéü", "aéü")]
    [InlineData("(?=.*[0-9])[a-z0-9]{3,5}", "ab1", "abc")]
    [InlineData("(?!no)[a-z]+", "yes", "none")]
    [InlineData(@"\p{Lu}\u0062", "Äb", "äb")]
    public void An_expression_matches_from_end_to_end(string expression, string good, string bad)
    {
        var grammar = Constraint.Compile(new ConstraintSpec.Regex(expression), Trie);
        Assert.True(Accepts(grammar, good));
        Assert.False(Accepts(grammar, bad));
    }

    [Fact]
    public void A_choice_is_one_of_its_texts()
    {
        var grammar = Constraint.Compile(new ConstraintSpec.Choice(["yes", "yesterday", "no"]), Trie);
        Assert.All((string[])["yes", "yesterday", "no"], text => Assert.True(Accepts(grammar, text)));
        Assert.False(Accepts(grammar, "yest"));
        var matcher = grammar.Match();
        Assert.True(matcher.Accept("n"u8));
        Assert.Equal("o"u8.ToArray(), matcher.ForcedBytes());
        Assert.False(matcher.IsComplete);
    }

    [Fact]
    public void A_grammar_calls_its_rules()
    {
        var grammar = Constraint.Compile(new ConstraintSpec.Grammar("""
            root ::= sum # a comment
            sum ::= value ("+" value)*
            value ::= [0-9]+ | "(" sum ")"
            """), Trie);
        Assert.True(Accepts(grammar, "1+(2+(33))"));
        Assert.False(Accepts(grammar, "1+(2"));
    }

    [Theory]
    [InlineData("root ::= root \"a\" | \"b\"")]
    [InlineData("root ::= \"a\" root")]
    [InlineData("root ::= other")]
    [InlineData("root ::= (\"a\"")]
    [InlineData("start ::= \"a\"")]
    public void A_grammar_without_an_answer_is_refused(string source) =>
        Assert.Throws<ConstraintException>(() => Constraint.Compile(new ConstraintSpec.Grammar(source), Trie));

    [Fact]
    public void Any_object_is_an_object_of_any_depth()
    {
        var grammar = Constraint.Compile(new ConstraintSpec.JsonObject(), Trie);
        Assert.True(Accepts(grammar, """{"a": [1, -2.5e3, {"b": null}], "é\n": "\""}"""));
        Assert.False(Accepts(grammar, "[1]"));
        Assert.False(Accepts(grammar, """{"a": 01}"""));
    }

    [Fact]
    public void A_mask_is_what_the_automaton_takes_token_by_token()
    {
        using var schema = JsonDocument.Parse("""
            {"type":"object","properties":{"abc":{"type":"string","maxLength":3},"ok":{"type":"boolean"},"h":{"pattern":"^h.*é$"}},"required":["abc"]}
            """);
        var grammar = Constraint.Compile(new ConstraintSpec.JsonSchema(schema.RootElement), Trie);
        var matcher = grammar.Match();
        foreach (var value in """{"abc": "xé\"", "ok": true, "h": "hé", "more": [1]}"""u8)
        {
            var mask = matcher.Mask();
            for (var token = 0; token < Trie.Count; token++)
                Assert.Equal(matcher.Copy().Accept(token), (mask[token >> 5] >> token & 1) != 0);
            Assert.True(matcher.Accept(value));
        }
        Assert.True(matcher.IsComplete);
    }

    [Fact]
    public void Sequences_share_masks_and_copies_go_their_own_way()
    {
        var grammar = Constraint.Compile(new ConstraintSpec.Regex("[ab]*c"), Trie);
        var one = grammar.Match();
        var other = one.Copy();
        Assert.True(one.Accept("ab"u8));
        Assert.True(one.Mask() == other.Mask());
        Assert.True(one.Accept('c'));
        Assert.True(one.IsComplete);
        Assert.False(other.IsComplete);
        Assert.False(other.Accept(Trie.Count - 1));
    }

    [Fact]
    public void Threads_may_make_masks_at_once()
    {
        var grammar = Constraint.Compile(new ConstraintSpec.Regex("(a|b){1,40}c[é-ü]*"), Trie);
        Parallel.For(0, 8, _ =>
        {
            var matcher = grammar.Match();
            while (!matcher.IsComplete)
            {
                var token = matcher.ForcedBytes() is [var only, ..] ? only : (byte)'a';
                Assert.NotEqual(0u, matcher.Mask()[token >> 5] >> token & 1);
                Assert.True(matcher.Accept(token));
            }
        });
    }

    [Theory]
    [InlineData("a{1000000}")]
    [InlineData("((a{1000}){1000}){1000}")]
    [InlineData("(a|aa)*(b|a){500}$")]
    [InlineData("(((((((((a?){20}){20}){20}){20}){20}){20}){20}){20}){20}")]
    [InlineData(@"(a)\1")]
    [InlineData("(?<=a)b")]
    [InlineData("[a")]
    public void A_hostile_expression_is_answered_soon(string expression)
    {
        var started = Stopwatch.GetTimestamp();
        try
        {
            var matcher = Constraint.Compile(new ConstraintSpec.Regex(expression), Trie).Match();
            for (var i = 0; i < 50 && matcher.Accept("a"u8); i++)
                _ = matcher.Mask();
        }
        catch (ConstraintException e)
        {
            Assert.NotEmpty(e.Keyword);
        }
        Assert.InRange(Stopwatch.GetElapsedTime(started).TotalSeconds, 0, 5);
    }

    private static bool Accepts(CompiledGrammar grammar, string text)
    {
        var matcher = grammar.Match();
        return matcher.Accept(Encoding.UTF8.GetBytes(text)) && matcher.IsComplete;
    }
}
