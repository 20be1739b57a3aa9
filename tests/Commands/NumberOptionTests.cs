using System.CommandLine;
using R1Serverless.Commands;

namespace R1Serverless.Tests.Commands;

/// <summary>Numbers on the command line, in bounds and out of them.</summary>
public sealed class NumberOptionTests
{
    [Theory]
    [InlineData("1")]
    [InlineData("300")]
    [InlineData("+7")]
    public void A_number_within_the_bounds_is_taken(string text) => Assert.Empty(Errors(new Option<int>("--n"), text));

    [Theory]
    [InlineData("0")]
    [InlineData("301")]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("1s")]
    [InlineData("99999999999999999999")]
    public void Anything_else_is_told_with_what_was_expected_and_what_came(string text)
    {
        var message = $"--n must be a whole number from 1 to 300, not '{text}'.";
        Assert.Equal([message], Errors(new Option<int>("--n"), text));
        Assert.Equal([message], Errors(new Option<int?>("--n"), text));
        Assert.Equal([message], Errors(new Option<int[]>("--n"), "2", "--n", text));
    }

    [Theory]
    [InlineData("1.5", true)]
    [InlineData("1e2", true)]
    [InlineData("300.1", false)]
    [InlineData("NaN", false)]
    [InlineData("a", false)]
    public void Other_numbers_need_not_be_whole(string text, bool isFine)
    {
        string[] expected = isFine ? [] : [$"--n must be a number from 1 to 300, not '{text}'."];
        Assert.Equal(expected, Errors(new Option<double>("--n"), text));
        Assert.Equal(expected, Errors(new Option<float?>("--n"), text));
    }

    [Fact]
    public void What_is_usual_needs_no_bounds() =>
    Assert.Empty(new RootCommand { NumberOption.Bound(new Option<int>("--n") { DefaultValueFactory = _ => 0 }, 1, 300) }.Parse("").Errors);

    private static IEnumerable<string> Errors<T>(Option<T> option, params string[] values) =>
        new RootCommand { NumberOption.Bound(option, 1, 300) }.Parse(["--n", .. values]).Errors.Select(error => error.Message);
}
