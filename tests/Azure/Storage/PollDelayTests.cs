using Microsoft.Extensions.Time.Testing;
using R1Serverless.Azure.Storage;

namespace R1Serverless.Tests.Azure.Storage;

public sealed class PollDelayTests
{
    private readonly FakeTimeProvider clock = new();

    [Theory]
    [InlineData(0, 20)]
    [InlineData(60, 20)]
    [InlineData(400, 100)]
    [InlineData(1600, 400)]
    [InlineData(30_000, 500)]
    [InlineData(60_000, 1000)]
    public void The_longer_nothing_comes_the_longer_it_waits(int idle, int expected)
    {
        var delay = Delay();
        clock.Advance(TimeSpan.FromMilliseconds(idle));
        Assert.Equal(TimeSpan.FromMilliseconds(expected), delay.Next);
    }

    [Fact]
    public async Task News_wakes_whoever_waits_and_the_queue_is_busy_again()
    {
        var delay = Delay();
        clock.Advance(TimeSpan.FromMinutes(5));
        var waiting = delay.WaitAsync(TimeSpan.MaxValue, CancellationToken.None);
        Assert.False(waiting.IsCompleted);

        delay.Reset();

        await waiting.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(TimeSpan.FromMilliseconds(20), delay.Next);
    }

    [Fact]
    public async Task A_wait_ends_at_its_limit_or_when_cancelled()
    {
        var delay = Delay();
        clock.Advance(TimeSpan.FromMinutes(5));
        var limited = delay.WaitAsync(TimeSpan.FromMilliseconds(50), CancellationToken.None);
        using CancellationTokenSource cancel = new();
        var cancelled = delay.WaitAsync(TimeSpan.FromSeconds(1), cancel.Token);

        clock.Advance(TimeSpan.FromMilliseconds(50));
        await limited.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.False(cancelled.IsCompleted);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled);
    }

    private PollDelay Delay() => new(clock, TimeSpan.FromMilliseconds(20), TimeSpan.FromMilliseconds(500), TimeSpan.FromSeconds(1));
}
