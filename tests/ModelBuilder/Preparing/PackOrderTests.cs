using R1Serverless.ModelBuilder.Preparing;

namespace R1Serverless.Tests.ModelBuilder.Preparing;

/// <summary>Small weights first, and behind the largest as much as it has.</summary>
public sealed class PackOrderTests
{
    [Theory]
    [InlineData("3 9 4 2 3", "2 3 9 3 4")]
    [InlineData("7 30 4 2 3", "30 2 3 4 7")]
    [InlineData("5 5 4", "4 5 5")]
    [InlineData("5", "5")]
    [InlineData("", "")]
    public void The_largest_stands_before_as_much_as_it_has(string sizes, string expected)
    {
        long[] all = [.. sizes.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(long.Parse)];
        Assert.Equal(expected, string.Join(' ', PackOrder.Of(all).Select(i => all[i])));
    }

    [Fact]
    public void Weights_of_one_size_keep_their_order() => Assert.Equal([1, 3, 0, 4, 2], PackOrder.Of([5, 2, 5, 2, 5]));
}
