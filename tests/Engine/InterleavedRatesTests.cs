using R1Serverless.Engine.Evaluation;

namespace R1Serverless.Tests.Engine;

public sealed class InterleavedRatesTests
{
    [Fact]
    public async Task Ratios_are_to_what_was_measured_before_and_after()
    {
        List<string> order = [];
        var rates = new InterleavedRates(Scripted(order, "t", 12, 6, 40), Scripted(order, "a", 4, 12, 3, 10), Scripted(order, "b", 1, 1, 1, 1));
        for (var round = 0; round < 3; round++) await rates.RunRoundAsync();

        Assert.Equal("a b t a b t a b t a b", string.Join(' ', order));
        Assert.Equal((3, 12.0), (rates.Rounds, rates.Target));
        Assert.Equal((7.0, 1.0), (rates.Companion(0), rates.Companion(1)));
        // Harmonic means 6, 4.8 and 60/13: the ratios are 2, 1.25 and 26/3.
        Assert.Equal(2, rates.Ratio(0), 1e-12);
        Assert.Equal(12, rates.Ratio(1), 1e-12);
    }

    [Theory]
    [InlineData(0, new double[0])]
    [InlineData(3, new double[] { 9, 3, 1 })]
    [InlineData(4, new double[] { 9, 5, 3, 1 })]
    public void Medians(double median, double[] values) => Assert.Equal(median, InterleavedRates.Median(values));

    private static Func<Task<double>> Scripted(List<string> order, string name, params double[] rates)
    {
        var next = 0;
        return () =>
        {
            order.Add(name);
            return Task.FromResult(rates[next++]);
        };
    }
}
