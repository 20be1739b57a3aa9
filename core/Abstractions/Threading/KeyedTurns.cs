namespace R1Serverless.Abstractions.Threading;

/// <summary>Lets one at a time pass for each key, in the order in which they came. Safe for several threads.</summary>
public sealed class KeyedTurns<TKey>
    where TKey : notnull
{
    private readonly Lock _gate = new();

    /// <summary>Those that wait, of each key whose turn somebody has.</summary>
    private readonly Dictionary<TKey, LinkedList<TaskCompletionSource>> _waiting = [];

    /// <summary>Waits for the turn, which ends where it is disposed.</summary>
    public async ValueTask<IDisposable> EnterAsync(TKey key, CancellationToken cancellationToken)
    {
        TaskCompletionSource own = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_waiting.TryGetValue(key, out var line))
            {
                line.AddLast(own);
            }
            else
            {
                _waiting.Add(key, []);
                own.SetResult();
            }
        }

        await using var cancelled = cancellationToken.UnsafeRegister(_ =>
        {
            lock (_gate)
            {
                // Given its turn meanwhile, it has it.
                if (!_waiting.TryGetValue(key, out var line) || !line.Remove(own)) return;
            }

            own.TrySetCanceled(cancellationToken);
        }, null);
        await own.Task;
        return new Turn(this, key);
    }

    private void Leave(TKey key)
    {
        TaskCompletionSource next;
        lock (_gate)
        {
            var line = _waiting[key];
            if (line.First is not { } first)
            {
                _waiting.Remove(key);
                return;
            }

            next = first.Value;
            line.RemoveFirst();
        }

        next.SetResult();
    }

    private sealed class Turn(KeyedTurns<TKey> turns, TKey key) : IDisposable
    {
        private int _isOver;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isOver, 1) == 0) turns.Leave(key);
        }
    }
}
