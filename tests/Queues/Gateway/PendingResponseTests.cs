using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Gateway;

namespace R1Serverless.Tests.Queues.Gateway;

/// <summary>What a client waits for when the store does not answer.</summary>
public sealed class PendingResponseTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly WatchedTime _time = new();

    [Theory]
    [InlineData(1)]
    [InlineData(0)]
    public async Task Past_its_deadline_nobody_waits_for_a_store_that_hangs_nor_for_a_turn_to_ask_it(int turns)
    {
        using SemaphoreSlim looks = new(turns);
        var next = Next(TimeSpan.Zero, looks);
        await PassAsync(TimeSpan.FromSeconds(1));
        await AssertExpiredAsync(next);
        Assert.Equal(turns, looks.CurrentCount);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(0)]
    public async Task A_look_that_began_before_the_deadline_ends_with_it(int turns)
    {
        using SemaphoreSlim looks = new(turns);
        var next = Next(TimeSpan.FromSeconds(20), looks);
        await PassAsync(TimeSpan.FromSeconds(1));
        await PassAsync(TimeSpan.FromSeconds(19));
        await PassAsync(TimeSpan.FromMilliseconds(1));
        await PassAsync(TimeSpan.FromSeconds(1));
        await AssertExpiredAsync(next);
        Assert.Equal(turns, looks.CurrentCount);
    }

    private static async Task AssertExpiredAsync(Task<IReadOnlyList<InferenceEvent>> next) =>
        Assert.Equal(InferenceErrorKind.DeadlineExceeded,
            Assert.IsType<InferenceEvent.Failed>(Assert.Single(await next.WaitAsync(Limit))).Error.Kind);

    private async Task PassAsync(TimeSpan asked)
    {
        await _time.UntilAwaitedAsync(asked);
        _time.Advance(asked);
    }

    /// <param name="looks">How many may look into the store.</param>
    private Task<IReadOnlyList<InferenceEvent>> Next(TimeSpan deadline, SemaphoreSlim looks)
    {
        FakeBroker broker = new(_time);
        broker.Store.ReadTime = TimeSpan.FromMinutes(2);
        var request = DrainWorld.Request("a", 5, deadline: deadline).Request;
        return new PendingResponse(request, new ResultStore(broker.Store), looks, TimeSpan.Zero, _time).NextAsync(CancellationToken.None).AsTask();
    }
}
