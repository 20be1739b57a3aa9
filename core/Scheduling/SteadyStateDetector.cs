namespace R1Serverless.Scheduling;

/// <summary>
/// When something that is run again and again has become as fast as it will be: none of the last <paramref name="calm"/> runs was faster than the
/// best before it by more than
/// <paramref name="tolerance"/>. The best, because it is of the thing itself, and cold first runs and the machine's hiccups are not.
/// </summary>
/// <param name="calm">At least 1. One is enough for runs of 5 ms and more, in which a hiccup of the machine hides no progress.</param>
/// <param name="tolerance">Relative, from 0 to 1.</param>
public sealed class SteadyStateDetector(int calm = 2, double tolerance = 0.05)
{
    private static readonly TimeSpan Long = TimeSpan.FromMilliseconds(5);

    private int _runs, _calm;

    public bool IsSteady => _calm >= (Best < Long ? calm : 1);

    /// <summary>Of all runs so far; zero before the first.</summary>
    public TimeSpan Best { get; private set; }

    public void Observe(TimeSpan elapsed)
    {
        _runs++;
        if (_runs > 1) _calm = elapsed < Best * (1 - tolerance) ? 0 : _calm + 1;
        if (_runs == 1 || elapsed < Best) Best = elapsed;
    }
}
