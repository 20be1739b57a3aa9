namespace R1Serverless.Queues.Sqlite;

/// <summary>Something to be done by the database's thread, which another waits for.</summary>
internal abstract class Work(bool writes)
{
    public bool Writes { get; } = writes;

    /// <summary>Does it; may be called again after a rollback.</summary>
    public abstract void Do();

    /// <summary>To be called once what was done is committed.</summary>
    public abstract void Succeed();

    public abstract void Fail(Exception fault);
}

internal sealed class Work<T>(bool writes, Func<T> action) : Work(writes)
{
    private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T _outcome = default!;

    public Task<T> Done => _done.Task;

    public override void Do() => _outcome = action();

    public override void Succeed() => _done.TrySetResult(_outcome);

    public override void Fail(Exception fault) => _done.TrySetException(fault);
}
