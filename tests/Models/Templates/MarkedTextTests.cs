using CsCheck;
using R1Serverless.Models.Templates;

namespace R1Serverless.Tests.Models.Templates;

/// <summary>Which of a rendered text is a user's, whatever the template does with it.</summary>
public sealed class MarkedTextTests
{
    private static readonly string[] Users = ["u", "v", "🙂", "𝒳", " ", "思"];

    [Theory]
    [InlineData("a{{ u }}b", "a[uv uv]b")]
    [InlineData("{{ 'a' + u + 'b' }}", "a[uv uv]b")]
    [InlineData("{{ 'a' ~ u ~ 1 }}", "a[uv uv]1")]
    [InlineData("{{ u[1:] }}{{ u[0] }}{{ u[::-1] }}", "[v uvuvu vu]")]
    [InlineData("{{ (' ' + u + ' a ').strip() }}", "[uv uv] a")]
    [InlineData("{{ (u + 'a' + u).split('a')[1] }}", "[uv uv]")]
    [InlineData("{{ ('<' + u + '>').split(' ') | join('-') }}", "<[uv]-[uv]>")]
    [InlineData("{{ ('<' + u + '>').replace(' ', '+') }}", "<[uv]+[uv]>")]
    [InlineData("{{ 'axa'.replace('x', u) }}", "a[uv uv]a")]
    [InlineData("{{ ('a' + u) | upper }}", "A[UV UV]")]
    [InlineData("{{ ('a ' + u) | title }}", "A [Uv Uv]")]
    [InlineData("{{ [u, 'a'] | join(', ') }}", "[uv uv], a")]
    [InlineData("{{ ('a' + u) | trim }}{{ u | length }}", "a[uv uv]5")]
    [InlineData("{{ 'x{}y'.format(u) }}{{ 'x%sy' % u }}{{ 'x%sy' | format(u) }}", "x[uv uv]yx[uv uv]yx[uv uv]y")]
    [InlineData("{{ [u] }}", "[['uv uv']]")]
    [InlineData("{{ {'a': u} | tojson }}{{ {'a': 1} | tojson }}", "[{\"a\": \"uv uv\"}]{\"a\": 1}")]
    [InlineData("{% set x %}a{{ u }}{% endset %}{{ x }}b", "a[uv uv]b")]
    [InlineData("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(u) }}", "<[uv uv]>")]
    [InlineData("{% for c in u %}{{ c }}.{% endfor %}", "[u].[v].[ ].[u].[v].")]
    [InlineData("{{ u * 2 }}a", "[uv uvuv uv]a")]
    [InlineData("{{ ('a\\n' + u) | indent(2) }}", "a\n  [uv uv]")]
    [InlineData("{{ ('<' + u) | e }}", "&lt;[uv uv]")]
    [InlineData("{% filter upper %}a{{ u }}{% endfilter %}", "A[UV UV]")]
    [InlineData("{{ u | default('x') }}{{ none | default('x') }}{{ missing | default(u) }}", "[uv uv]None[uv uv]")]
    [InlineData("{% for k, v in {u: 'a'}.items() %}{{ k }}{{ v }}{% endfor %}", "[uv uv]a")]
    [InlineData("{{ u.partition(' ')[1] }}{{ ('a' + u).partition('v')[0] }}", " a[u]")]
    public void Marks_stay_with_their_text(string template, string expected)
    {
        var users = new StringValue(MarkedText.OfUser("uv uv"));
        Assert.Equal(expected, Shown(JinjaTemplate.Parse(template).Render([KeyValuePair.Create<string, Value>("u", users)], TimeProvider.System)));
    }

    [Fact]
    public void Parts_of_any_cut_and_join_keep_their_marks()
    {
        var part = Gen.Select(Gen.Bool, Gen.Int[0, 4]).Select((isUser, length) =>
            isUser ? MarkedText.OfUser(new string('u', length)) : MarkedText.OfTemplate(new string('t', length)));
        Gen.Select(part.Array[0, 8], Gen.Int[0, 40], Gen.Int[0, 40]).Sample((parts, from, to) =>
        {
            var text = TextCutting.Join(parts, MarkedText.Empty);
            var (start, end) = (Math.Min(from, text.Length), Math.Min(to, text.Length));
            var cut = text.Slice(start, Math.Max(start, end));
            Assert.Equal(text.Text[start..Math.Max(start, end)], cut.Text);
            AssertExact(text);
            AssertExact(cut);
            AssertExact(cut + text);
        });
    }

    [Fact]
    public void Pairs_of_surrogates_are_cut_whole() =>
        Gen.Int[0, Users.Length - 1].Array[0, 12].Select(places => string.Concat(places.Select(place => Users[place]))).Sample(text =>
        {
            var value = new StringValue(MarkedText.OfUser(text));
            Assert.Equal(text, string.Concat(value.Elements.Select(one => one.ToText().Text)));
            Assert.Equal(value.Count, value.Elements.Count);
        });

    /// <summary>All u are marked, and no t is.</summary>
    private static void AssertExact(MarkedText text)
    {
        var marked = text.UserStretches.SelectMany(stretch => Enumerable.Range(stretch.Start, stretch.End - stretch.Start)).ToHashSet();
        Assert.Equal(Enumerable.Range(0, text.Length).Where(at => text.Text[at] == 'u'), marked.Order());
    }

    /// <summary>With what is a user's in brackets.</summary>
    private static string Shown(MarkedText text)
    {
        var shown = text.Text;
        foreach (var (start, end) in text.UserStretches.Reverse())
            shown = $"{shown[..start]}[{shown[start..end]}]{shown[end..]}";
        return shown;
    }
}
