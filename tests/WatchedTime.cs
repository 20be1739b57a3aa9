using System.Diagnostics;
using Microsoft.Extensions.Time.Testing;

namespace R1Serverless.Tests;

/// <summary>
/// A clock that knows who waits for it. Code under test that has threads of its own may still be on its way to its wait when the test lets time pass: then a patience ends that was never used,
/// or the moment that would have woken it comes too early. By this clock time passes when it is waited for.
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

    /// <summary>Returns when code of this class waits; for how long from now.</summary>
    public async Task<TimeSpan> UntilAwaitedByAsync<T>()
    {
        while (true)
        {
            Task more;
            lock (_gate)
            {
                if (_waits.Find(wait => wait.By == typeof(T)) is { } found) return found.Due - GetUtcNow();
                more = _more.Task;
            }

            await more.WaitAsync(Limit, System);
        }
    }

    /// <summary>Lets time pass for code of this class, each time that it waits and as long as it does, until the task has ended. Returns how often.</summary>
    public async Task<int> PassAsync<T>(Task until)
    {
        for (int times = 0; ; times++)
        {
            Task<TimeSpan> awaited = UntilAwaitedByAsync<T>();
            await Task.WhenAny(until, awaited);
            if (until.IsCompleted) return times;
            Advance(await awaited);
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (period > TimeSpan.Zero) return base.CreateTimer(callback, state, dueTime, period);
        Wait wait = new(this, Caller(), callback, state);
        wait.Timer = base.CreateTimer(static one => ((Wait)one!).End(), wait, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        wait.Change(dueTime, period);
        return wait;
    }

    /// <summary>The class of the product's that is nearest on the stack; of an asynchronous method, the one that it stands in.</summary>
    private static Type? Caller()
    {
        foreach (StackFrame frame in new StackTrace().GetFrames())
        {
            Type? type = frame.GetMethod()?.DeclaringType;
            while (type?.DeclaringType is { } outer) type = outer;
            if (type != typeof(WatchedTime) && type?.Namespace?.StartsWith(nameof(R1Serverless), StringComparison.Ordinal) == true) return type;
        }

        return null;
    }

    /// <summary>A timer that goes off once.</summary>
    private sealed class Wait(WatchedTime owner, Type? by, TimerCallback callback, object? state) : ITimer
    {
        private bool _isOver;

        public Type? By { get; } = by;

        public ITimer Timer { get; set; } = null!;

        public DateTimeOffset Due { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Leave(isOver: false);
            DateTimeOffset due = owner.GetUtcNow() + dueTime;
            bool isChanged = Timer.Change(dueTime, period);
            if (dueTime <= TimeSpan.Zero) return isChanged;
            lock (owner._gate)
            {
                // Seen only now that time can wake it, which may have happened already.
                if (_isOver) return isChanged;
                Due = due;
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
