using Microsoft.Extensions.Time.Testing;

namespace R1Serverless.Tests;

/// <summary>
/// A clock that knows for how long it is waited for. Code under test that has threads of its own may still be on its way to its wait when the test
/// lets time pass: then a patience ends that was never used, or the moment that would have woken it comes too early. By this clock time passes when
/// it is waited for.
/// </summary>
internal sealed class WatchedTime(DateTimeOffset start) : FakeTimeProvider(start)
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private readonly List<Wait> _waits = [];
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public WatchedTime()
        : this(System.GetUtcNow())
    {
    }

    /// <summary>Whether anybody waits for a moment to come. Periodic timers do not count: they go on whatever their owners do.</summary>
    public bool IsAwaited
    {
        get
        {
            lock (_gate) return _waits.Count > 0;
        }
    }

    /// <summary>Returns when somebody waits who has asked for exactly so long: by that a test says whom it means.</summary>
    public async Task UntilAwaitedAsync(TimeSpan asked)
    {
        while (true)
        {
            Task more;
            lock (_gate)
            {
                if (_waits.Exists(wait => wait.Asked == asked)) return;
                more = _more.Task;
            }

            await more.WaitAsync(Limit, System);
        }
    }

    /// <summary>Lets so much time pass, each time that somebody asks for exactly that, until the task has ended. Returns how often.</summary>
    public async Task<int> PassAsync(TimeSpan asked, Task until)
    {
        for (var times = 0; ; times++)
        {
            var awaited = UntilAwaitedAsync(asked);
            await Task.WhenAny(until, awaited);
            if (until.IsCompleted) return times;
            await awaited;
            Advance(asked);
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (period > TimeSpan.Zero) return base.CreateTimer(callback, state, dueTime, period);
        Wait wait = new(this, callback, state);
        wait.Timer = base.CreateTimer(static one => ((Wait)one!).End(), wait, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        wait.Change(dueTime, period);
        return wait;
    }

    /// <summary>A timer that goes off once.</summary>
    private sealed class Wait(WatchedTime owner, TimerCallback callback, object? state) : ITimer
    {
        private bool _isOver;

        public ITimer Timer { get; set; } = null!;

        public TimeSpan Asked { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Leave(isOver: false);
            var isChanged = Timer.Change(dueTime, period);
            if (dueTime <= TimeSpan.Zero) return isChanged;
            lock (owner._gate)
            {
                // Seen only now that time can wake it, which may have happened already.
                if (_isOver) return isChanged;
                Asked = dueTime;
                owner._waits.Add(this);
                owner._more.SetResult();
                owner._more = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            return isChanged;
        }

        public void End()
        {
            Leave(isOver: true);
            callback(state);
        }

        public void Dispose()
        {
            Leave(isOver: true);
            Timer.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Leave(bool isOver)
        {
            lock (owner._gate)
            {
                _isOver = isOver;
                owner._waits.Remove(this);
            }
        }
    }
}
