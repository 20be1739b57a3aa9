namespace R1Serverless.Abstractions.Threading;

/// <summary>A token that is cancelled when a time is over or another token is cancelled, and tells which it was.</summary>
public sealed class TimeLimit : IDisposable
{
    /// <summary>A timer's own limit is 49 days.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromDays(40);

    private readonly CancellationTokenSource _late;
    private readonly CancellationTokenSource _either;
    private readonly CancellationToken _outer;

    /// <param name="limit">From now on; infinite for none.</param>
    public TimeLimit(TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        _outer = cancellationToken;
        _late = new CancellationTokenSource(limit < Longest ? limit : Longest, time);
        _either = cancellationToken.CanBeCanceled ? CancellationTokenSource.CreateLinkedTokenSource(_late.Token, cancellationToken) : _late;
    }

    public CancellationToken Token => _either.Token;

    /// <summary>Whether the time is over, and nobody has cancelled the other token.</summary>
    public bool IsOver => _late.IsCancellationRequested && !_outer.IsCancellationRequested;

    public void Dispose()
    {
        _either.Dispose();
        _late.Dispose();
    }
}
