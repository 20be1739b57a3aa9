namespace R1Serverless.Queues;

/// <summary>
/// Lets requests in so that no key's flood stands before another's: few may have been let in without having been started by a worker, the others wait here, and
/// keys take turns. So a queue behind it stays short, and may be first in, first out. Safe for several threads.
/// </summary>
/// <param name="places">Requests let in and not yet started; null for no limit.</param>
/// <param name="mostPerKey">Requests of one key that may wait and run.</param>
public sealed class FairLine(int? places, int mostPerKey, TimeProvider time)
{
    // Enough to know a rate, few enough to follow its changes.
    private const int Remembered = 32;

    private readonly Lock _gate = new();
    private readonly FairOrder<TaskCompletionSource> _waiting = new();
    private readonly Dictionary<string, int> _passes = new(StringComparer.Ordinal);
    private readonly Queue<long> _starts = new();
    private int _letIn;

    /// <summary>Counts a request in, to be disposed when it has ended; null if its key has as many as it may.</summary>
    /// <param name="most">As many as this key may have; null for as many as every key.</param>
    public Pass? TryEnter(string key, int? most = null)
    {
        lock (_gate)
        {
            int passes = _passes.GetValueOrDefault(key);
            if (passes >= (most ?? mostPerKey)) return null;
            _passes[key] = passes + 1;
            return new Pass(this, key);
        }
    }

    /// <summary>How long a request of the key would wait here, by how fast others have been started; zero where nothing is known.</summary>
    public TimeSpan EstimatedWait(string key)
    {
        lock (_gate)
        {
            if (_waiting.Count == 0 || _starts.Count < Remembered) return TimeSpan.Zero;
            return (_waiting.Ahead(key) + 1) * (time.GetElapsedTime(_starts.Peek()) / _starts.Count);
        }
    }

    private async Task WaitAsync(string key, CancellationToken cancellationToken)
    {
        TaskCompletionSource turn = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (places is null || _letIn < places)
            {
                _letIn++;
                return;
            }

            _waiting.Add(key, turn);
        }

        await using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(_ => GiveUp(key, turn, cancellationToken), null);
        await turn.Task;
    }

    private void GiveUp(string key, TaskCompletionSource turn, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            // One that has just been let in goes on: its place is freed as any other.
            if (_waiting.Remove(key, turn)) turn.SetCanceled(cancellationToken);
        }
    }

    private void Free(bool isStarted)
    {
        TaskCompletionSource? next;
        lock (_gate)
        {
            if (isStarted)
            {
                _starts.Enqueue(time.GetTimestamp());
                if (_starts.Count > Remembered) _starts.Dequeue();
            }

            next = _waiting.Take();
            if (next is null) _letIn--;
        }

        next?.SetResult();
    }

    private void Leave(string key)
    {
        lock (_gate)
        {
            if (_passes[key] == 1) _passes.Remove(key);
            else _passes[key]--;
        }
    }

    /// <summary>One request that has been counted in.</summary>
    public sealed class Pass : IDisposable
    {
        private readonly FairLine _line;
        private readonly string _key;
        private int _isLetIn;
        private int _isOver;

        internal Pass(FairLine line, string key) => (_line, _key) = (line, key);

        /// <summary>Waits until the request may go to the workers. To be called again only where the wait was given up; one that had ended all the same is not repeated.</summary>
        public async Task WaitAsync(CancellationToken cancellationToken)
        {
            if (_isLetIn == 1) return;
            await _line.WaitAsync(_key, cancellationToken);
            _isLetIn = 1;
        }

        /// <summary>A worker has begun with it: another may go.</summary>
        public void Started() => Free(isStarted: true);

        public void Dispose()
        {
            Free(isStarted: false);
            if (Interlocked.Exchange(ref _isOver, 1) == 0) _line.Leave(_key);
        }

        private void Free(bool isStarted)
        {
            if (Interlocked.Exchange(ref _isLetIn, 0) == 1) _line.Free(isStarted);
        }
    }
}
