using R1Serverless.Serving;

namespace R1Serverless.Tests.Serving;

public sealed class DisplayFormatTests
{
    [Theory]
    [InlineData("plain é 漢", 99, "plain é 漢")]
    [InlineData("a\u001b[31mred\u0007\0", 99, "a\uFFFD[31mred\uFFFD\uFFFD")]
    [InlineData("two\nlines", 99, "two\nlines")]
    [InlineData("abcdef", 3, "abc…")]
    public void What_others_wrote_moves_no_cursor(string text, int most, string shown) => Assert.Equal(shown, DisplayFormat.Text(text, most));
}
