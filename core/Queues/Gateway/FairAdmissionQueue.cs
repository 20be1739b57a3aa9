namespace R1Serverless.Queues.Gateway;

/// <summary>Lets requests in so that no key's flood stands before another's: few of a model may have been let in without having been started by a
/// worker, the others wait here, and keys take turns. So a queue behind it stays short, and may be first in, first out. A model whose workers are
/// away holds up no other. Safe for several threads.</summary>
/// <param name="places">Requests of a model let in and not yet started; null for no limit.</param>
/// <param name="maxPerKey">Requests of one key that may wait and run.</param>
public sealed class FairAdmissionQueue(int? places, int maxPerKey, TimeProvider time)
{
    // Enough to know a rate, few enough to follow its changes.
    private const int Remembered = 32;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, Lane> _lanes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _passes = new(StringComparer.Ordinal);

    /// <summary>Counts a request in, to be disposed when it has ended; null if its key has as many as it may.</summary>
    /// <param name="most">As many as this key may have; null for as many as every key.</param>
    public Pass? TryEnter(string key, int? most = null, string model = "")
    {
        lock (_gate)
        {
            var passes = _passes.GetValueOrDefault(key);
            if (passes >= (most ?? maxPerKey)) return null;
            _passes[key] = passes + 1;
            return new Pass(this, key, model);
        }
    }

    /// <summary>How long a request of the key would wait here, by how fast others have been started; zero where nothing is known.</summary>
    public TimeSpan EstimatedWait(string key, string model = "")
    {
        lock (_gate)
        {
            if (!_lanes.TryGetValue(model, out var lane) || lane.Waiting.Count == 0 || lane.Starts.Count < Remembered) return TimeSpan.Zero;
            return (lane.Waiting.Ahead(key) + 1) * (time.GetElapsedTime(lane.Starts.Peek()) / lane.Starts.Count);
        }
    }

    private async Task WaitAsync(string key, string model, CancellationToken cancellationToken)
    {
        TaskCompletionSource turn = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (!_lanes.TryGetValue(model, out var lane)) _lanes[model] = lane = new Lane();
            if (places is null || lane.LetIn < places)
            {
                lane.LetIn++;
                return;
            }

            lane.Waiting.Add(key, turn);
        }

        await using var registration = cancellationToken.UnsafeRegister(_ => GiveUp(key, model, turn, cancellationToken), null);
        await turn.Task;
    }

    private void GiveUp(string key, string model, TaskCompletionSource turn, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            // One that has just been let in goes on: its place is freed as any other.
            if (_lanes.TryGetValue(model, out var lane) && lane.Waiting.Remove(key, turn)) turn.SetCanceled(cancellationToken);
        }
    }

    private void Free(string model, bool isStarted)
    {
        TaskCompletionSource? next;
        lock (_gate)
        {
            var lane = _lanes[model];
            if (isStarted)
            {
                lane.Starts.Enqueue(time.GetTimestamp());
                if (lane.Starts.Count > Remembered) lane.Starts.Dequeue();
            }

            next = lane.Waiting.Take();
            if (next is null && --lane.LetIn == 0) _lanes.Remove(model);
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
        private readonly FairAdmissionQueue _queue;
        private readonly string _key;
        private readonly string _model;
        private int _isLetIn;
        private int _isOver;

        internal Pass(FairAdmissionQueue queue, string key, string model) => (_queue, _key, _model) = (queue, key, model);

        /// <summary>Waits until the request may go to the workers. To be called again only where the wait was given up; one that had ended all the
        /// same is not repeated.</summary>
        public async Task WaitAsync(CancellationToken cancellationToken)
        {
            if (_isLetIn == 1) return;
            await _queue.WaitAsync(_key, _model, cancellationToken);
            _isLetIn = 1;
        }

        /// <summary>A worker has begun with it: another may go.</summary>
        public void Started() => Free(isStarted: true);

        public void Dispose()
        {
            Free(isStarted: false);
            if (Interlocked.Exchange(ref _isOver, 1) == 0) _queue.Leave(_key);
        }

        private void Free(bool isStarted)
        {
            if (Interlocked.Exchange(ref _isLetIn, 0) == 1) _queue.Free(_model, isStarted);
        }
    }

    /// <summary>The requests of one model; there while any of them is let in and not started.</summary>
    private sealed class Lane
    {
        public RoundRobinQueue<TaskCompletionSource> Waiting { get; } = new();

        public Queue<long> Starts { get; } = new();

        public int LetIn { get; set; }
    }
}
