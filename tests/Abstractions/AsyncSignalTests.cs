using Microsoft.Extensions.Time.Testing;
using R1Serverless.Abstractions.Threading;

namespace R1Serverless.Tests.Abstractions;

public sealed class AsyncSignalTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly AsyncSignal _signal = new();
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task It_wakes_all_who_wait()
    {
        Task<bool>[] waits = [.. Enumerable.Range(0, 3).Select(_ => WaitAsync(_signal.Version, Timeout.InfiniteTimeSpan))];
        Assert.DoesNotContain(waits, wait => wait.IsCompleted);
        _signal.Set();
        Assert.All(await Task.WhenAll(waits).WaitAsync(Limit), Assert.True);
        Assert.False(WaitAsync(_signal.Version, Limit).IsCompleted);
    }

    [Fact]
    public async Task A_change_between_the_look_and_the_wait_is_not_missed()
    {
        var seen = _signal.Version;
        _signal.Set();
        Assert.True(await WaitAsync(seen, TimeSpan.Zero));
    }

    [Fact]
    public async Task A_wait_ends_at_its_timeout_or_when_cancelled()
    {
        using CancellationTokenSource cancel = new();
        Task<bool> limited = WaitAsync(0, TimeSpan.FromSeconds(1)), cancelled = WaitAsync(0, TimeSpan.FromSeconds(2), cancel.Token);
        Assert.False(await WaitAsync(0, TimeSpan.Zero));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.False(await limited.WaitAsync(Limit));
        Assert.False(cancelled.IsCompleted);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
    }

    [Fact]
    public async Task No_wake_up_is_lost_between_threads()
    {
        const int Items = 20_000;
        int made = 0, taken = 0;
        Thread producer = new(() =>
        {
            for (var i = 0; i < Items; i++)
            {
                Interlocked.Increment(ref made);
                _signal.Set();
            }
        });
        producer.Start();
        while (taken < Items)
        {
            var seen = _signal.Version;
            var there = Volatile.Read(ref made);
            if (there == taken) Assert.True(await _signal.WaitAsync(seen, Limit, TimeProvider.System, CancellationToken.None));
            taken = there;
        }

        producer.Join();
    }

    private Task<bool> WaitAsync(long seen, TimeSpan timeout, CancellationToken cancellationToken = default) =>
        _signal.WaitAsync(seen, timeout, _time, cancellationToken);
}
