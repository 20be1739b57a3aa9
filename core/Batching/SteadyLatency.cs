namespace R1Serverless.Batching;

/// <summary>
/// When something that is run again and again has become as fast as it will be: its running median has moved by no more than <paramref name="tolerance"/> in each of
/// the last <paramref name="calm"/> runs. A median, because one hiccup of the machine should neither end nor prolong the warming.
/// </summary>
/// <param name="calm">At least 1.</param>
/// <param name="tolerance">Relative, above 0.</param>
public sealed class SteadyLatency(int calm = 2, double tolerance = 0.05)
{
    private readonly List<double> _sorted = [];
    private double _median;
    private int _unmoved;

    public bool IsSteady => _unmoved >= calm;

    /// <summary>Of all runs so far; zero before the first.</summary>
    public TimeSpan Median => TimeSpan.FromSeconds(_median);

    public void Observe(TimeSpan elapsed)
    {
        var at = _sorted.BinarySearch(elapsed.TotalSeconds);
        _sorted.Insert(at < 0 ? ~at : at, elapsed.TotalSeconds);
        var middle = _sorted.Count / 2;
        var median = _sorted.Count % 2 == 1 ? _sorted[middle] : (_sorted[middle - 1] + _sorted[middle]) / 2;
        _unmoved = _sorted.Count > 1 && Math.Abs(median - _median) <= _median * tolerance ? _unmoved + 1 : 0;
        _median = median;
    }
}
