using Microsoft.Extensions.Time.Testing;
using R1Serverless.Models.Templates;

namespace R1Serverless.Tests.Models.Templates;

/// <summary>Faults, limits and the clock of the interpreter.</summary>
public sealed class JinjaTemplateTests
{
    private static readonly FakeTimeProvider Time = new(new DateTimeOffset(2025, 3, 7, 14, 5, 9, TimeSpan.Zero));

    [Theory]
    [InlineData("a\n  {{ b c }}", 2, 8, "'}}' was expected, not 'c'.")]
    [InlineData("{% if x %}\n{% for a in b %}{% endif %}", 2, 17, "A block 'endif' can't stand here.")]
    [InlineData("{% if x %}\n", 1, 11, "This 'if' block is not closed by 'endif'.")]
    [InlineData("{{ 'a }}", 1, 4, "This string is not closed.")]
    [InlineData("\n{{ x", 2, 1, "This output is not closed.")]
    [InlineData("{{ x | nope }}", 1, 8, "There is no filter 'nope'.")]
    [InlineData("{{ x is nope }}", 1, 6, "There is no test 'nope'.")]
    [InlineData("{% include 'x' %}", 1, 1, "A block 'include' can't stand here.")]
    [InlineData("{% break %}", 1, 1, "'break' stands outside of all loops.")]
    [InlineData("{% for x in y %}{% macro m() %}{% continue %}{% endmacro %}{% endfor %}", 1, 32, "'continue' stands outside of all loops.")]
    public void What_is_malformed_is_refused_with_its_place(string template, int line, int column, string reason)
    {
        var fault = Assert.Throws<TemplateException>(() => JinjaTemplate.Parse(template));
        Assert.Equal((new TemplatePosition(line, column), reason), (fault.At, fault.Reason));
        Assert.Equal($"{reason} (line {line}, column {column})", fault.Message);
    }

    [Theory]
    [InlineData("x\n{{ a.b }}", 2, 5, "'a' is undefined.")]
    [InlineData("{{ {}.b.c }}", 1, 8, "A dictionary has no attribute 'b'.")]
    [InlineData("{{ 1 + 'a' }}", 1, 6, "'+' can't join an integer and a string.")]
    [InlineData("{{ [] | length / 0 }}", 1, 16, "'/' can't divide by 0.")]
    [InlineData("{{ [1].append(2) }}", 1, 14, "'append' would change a list, which a template may not: make another with '+'.")]
    public void What_fails_says_where(string template, int line, int column, string reason)
    {
        var fault = Assert.Throws<TemplateException>(() => Render(template));
        Assert.Equal((new TemplatePosition(line, column), reason), (fault.At, fault.Reason));
    }

    [Fact]
    public void A_template_may_refuse_in_its_own_words()
    {
        var fault = Assert.Throws<TemplateException>(() => Render("{{ raise_exception('Roles must alternate!') }}"));
        Assert.True(fault.IsRaised);
        Assert.Equal("Roles must alternate!", fault.Reason);
    }

    [Theory]
    [InlineData("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "steps")]
    [InlineData("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "inside each other")]
    [InlineData("{{ 'x' * 999999999 }}", "characters")]
    [InlineData("{{ [0] * 999999999 }}", "elements")]
    [InlineData("{% set ns = namespace(x='abcdefgh') %}{% for i in range(40) %}{% set ns.x = ns.x + ns.x %}{% endfor %}", "characters")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(40) %}{% set ns.x = ns.x + ns.x %}{% endfor %}", "elements")]
    [InlineData("{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}", "inside each other")]
    [InlineData("{% for i in range(99999) %}{{ 'x' * 99999 }}{% endfor %}", "more than")]
    [InlineData("{{ ('x' * 999999) | replace('', 'y' * 999999) }}", "characters")]
    [InlineData("{{ 'a' | indent(999999999) }}", "characters")]
    [InlineData("{{ 2 ** 999 }}", "64 bits")]
    [InlineData("{{ 9223372036854775807 + 1 }}", "64 bits")]
    [InlineData("{{ range(999999) }}", "range")]
    public void No_template_takes_more_than_it_may(string template, string reason) =>
        Assert.Contains(reason, Assert.Throws<TemplateException>(() => Render(template)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("(", ")")]
    [InlineData("[", "]")]
    [InlineData("-", "")]
    [InlineData("not ", "")]
    [InlineData("{'a':", "}")]
    [InlineData("x if y else ", "")]
    [InlineData("x(", ")")]
    [InlineData("x[", "]")]
    public void Nesting_has_a_limit_too(string opening, string closing)
    {
        var fault = Assert.Throws<TemplateException>(() => JinjaTemplate.Parse($"{{{{ {Many(opening)}1{Many(closing)} }}}}"));
        Assert.Contains("inside each other", fault.Reason, StringComparison.Ordinal);

        static string Many(string text) => string.Concat(Enumerable.Repeat(text, 20_000));
    }

    [Fact]
    public void Blocks_and_chains_have_one_as_well()
    {
        Assert.Throws<TemplateException>(() => JinjaTemplate.Parse(string.Concat(Enumerable.Repeat("{% if x %}", 50_000))));
        Assert.Throws<TemplateException>(() => Render("{{ 1" + string.Concat(Enumerable.Repeat(" + 1", 100_000)) + " }}"));
        Assert.Throws<TemplateException>(() => JinjaTemplate.Parse(new string('x', 600_000)));
        Assert.Equal("101", Render("{{ 1" + string.Concat(Enumerable.Repeat(" + 1", 100)) + " }}").Text);
    }

    [Fact]
    public void Time_is_told_in_English()
    {
        Assert.Equal("07 Mar 2025", Render("{{ strftime_now('%d %b %Y') }}").Text);
        Assert.Equal(
            "Friday March 7 2025-03-07 14:05:09 02 PM 066 %", Render("{{ strftime_now('%A %B %-d %F %T %I %p %j %%') }}").Text);
        Assert.Throws<TemplateException>(() => Render("{{ strftime_now('%Q') }}"));
    }

    [Fact]
    public void One_template_serves_many_threads()
    {
        var template = JinjaTemplate.Parse("{% set ns = namespace(x=0) %}{% for i in range(n) %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}");
        Parallel.For(0, 200, n => Assert.Equal($"{n * (n - 1) / 2}", template.Render([KeyValuePair.Create("n", IntegerValue.Of(n))], Time).Text));
    }

    private static MarkedText Render(string template) => JinjaTemplate.Parse(template).Render([], Time);
}
