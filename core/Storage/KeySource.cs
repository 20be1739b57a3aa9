namespace R1Serverless.Storage;

/// <summary>Where the keys are kept, so that they can be changed while servers run.</summary>
public abstract class KeySource
{
    /// <summary>For operators.</summary>
    public abstract string Description { get; }

    /// <summary>How often a server looks for a change.</summary>
    public abstract TimeSpan Interval { get; }

    /// <summary>Null if nothing has ever been put there.</summary>
    /// <exception cref="KeySourceException">It can't be reached.</exception>
    public abstract ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken);

    /// <summary>Puts what <paramref name="change"/> makes of the present content there, as a whole.</summary>
    /// <exception cref="KeySourceException">It can't be reached.</exception>
    public abstract ValueTask ChangeAsync(Func<ReadOnlyMemory<byte>?, ReadOnlyMemory<byte>> change, CancellationToken cancellationToken);
}

/// <summary>The keys can't be read or written where they are kept; the message says what was tried.</summary>
public sealed class KeySourceException : IOException
{
    public KeySourceException(string message, Exception inner)
        : base(message, inner)
    {
    }

    public KeySourceException(string message)
        : base(message)
    {
    }

    public KeySourceException()
    {
    }
}
