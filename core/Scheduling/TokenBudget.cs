namespace R1Serverless.Scheduling;

/// <summary>
/// How many rows a decode step may have: budget / longest row, from 1 to 1024. The budget is learnt from measured step times,
/// so that no step takes much longer than <paramref name="target"/>, or than twice the fastest step where that is more; running out of memory halves
/// it, and it recovers slowly.
/// </summary>
/// <param name="capacity">Tokens that fit into the KV memory: the budget never exceeds it.</param>
/// <param name="target">The longest a decode step should take: the gap between two tokens of a stream.</param>
public sealed class TokenBudget(long capacity, TimeSpan target)
{
    public const int MaxRows = 1024;

    /// <summary>Recovery per step that was limited by the budget and fast enough.</summary>
    private const double Growth = 1.02;

    /// <summary>Weight of one slow step: a single hiccup of the machine must not halve the batch.</summary>
    private const double Blame = 0.1;

    private double _tokens = capacity;
    private TimeSpan _fastest = TimeSpan.MaxValue / 4;

    public long Tokens => (long)_tokens;

    /// <summary>Rows of a step whose longest row has <paramref name="longest"/> tokens.</summary>
    public int RowsAt(int longest) => (int)Math.Clamp(_tokens / Math.Max(1, longest), 1, MaxRows);

    /// <summary>Learns from a decode step of <paramref name="rows"/> rows that took <paramref name="elapsed"/>.</summary>
    public void Observe(int rows, int longest, TimeSpan elapsed)
    {
        // Reading the weights takes the same time whatever the rows: only what comes on top of the fastest step is the batch's doing.
        if (elapsed < _fastest) _fastest = elapsed;
        var limit = target > 2 * _fastest ? target : 2 * _fastest;
        if (elapsed > limit && rows > 1)
        {
            var affordable = rows * (double)longest * ((limit - _fastest) / (elapsed - _fastest));
            _tokens = Math.Max(longest, Math.Min(_tokens, (_tokens * (1 - Blame)) + (affordable * Blame)));
        }
        else if (rows >= RowsAt(longest))
        {
            _tokens = Math.Min(capacity, _tokens * Growth);
        }
    }

    /// <summary>A step of that size did not fit into the device's memory.</summary>
    public void Halve(int rows, int longest) => _tokens = Math.Max(longest, rows * (double)longest / 2);
}
