namespace R1Serverless.Engine.Evaluation;

/// <summary>
/// Measures a rate in turn with others, round after round, and its ratio to each: to what that one gave before and after it. A machine that gets
/// faster or slower meanwhile favours none.
/// </summary>
/// <param name="target">Measures the rate in question once.</param>
/// <param name="companions">Measure what it is compared to.</param>
public sealed class InterleavedRates(Func<Task<double>> target, params Func<Task<double>>[] companions)
{
    private readonly List<double> _target = [];
    private readonly List<double>[] _companions = [.. companions.Select(_ => new List<double>())];

    /// <summary>The median over the rounds.</summary>
    public double Target => Median(_target);

    /// <summary>How often the target was measured.</summary>
    public int Rounds => _target.Count;

    public async Task RunRoundAsync()
    {
        if (_target.Count == 0) await RunCompanionsAsync();
        _target.Add(await target());
        await RunCompanionsAsync();
    }

    /// <summary>The median of one companion's rates.</summary>
    public double Companion(int index) => Median(_companions[index]);

    /// <summary>The median over the rounds of the target's ratio to one companion, whose rates before and after count together.</summary>
    public double Ratio(int index) => Median(_target.Select((rate, round) =>
    {
        // The same work before and after: the harmonic mean is the rate of both together.
        var (before, after) = (_companions[index][round], _companions[index][round + 1]);
        return rate * ((1 / before) + (1 / after)) / 2;
    }));

    /// <summary>Of none, 0.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? 0 : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private async Task RunCompanionsAsync()
    {
        for (var i = 0; i < companions.Length; i++) _companions[i].Add(await companions[i]());
    }
}
