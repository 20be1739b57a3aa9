using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Tests.Queues.Gateway;

/// <summary>What a client waits for when the store does not answer.</summary>
public sealed class AwaitedAnswerTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private readonly WatchedTime _time = new();

    [Theory]
    [InlineData(1)]
    [InlineData(0)]
    public async Task Past_its_deadline_nobody_waits_for_a_store_that_hangs_nor_for_a_turn_to_ask_it(int turns)
    {
        using SemaphoreSlim looks = new(turns);
        Task<IReadOnlyList<InferenceEvent>> next = Next(TimeSpan.Zero, looks);
        await PassAsync<AwaitedAnswer>(TimeSpan.FromSeconds(1));
        await AssertExpiredAsync(next);
        Assert.Equal(turns, looks.CurrentCount);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(0)]
    public async Task A_look_that_began_before_the_deadline_ends_with_it(int turns)
    {
        using SemaphoreSlim looks = new(turns);
        Task<IReadOnlyList<InferenceEvent>> next = Next(TimeSpan.FromSeconds(20), looks);
        await PassAsync<Pulse>(TimeSpan.FromSeconds(1));
        await PassAsync<AwaitedAnswer>(TimeSpan.FromSeconds(19));
        await PassAsync<Pulse>(TimeSpan.FromMilliseconds(1));
        await PassAsync<AwaitedAnswer>(TimeSpan.FromSeconds(1));
        await AssertExpiredAsync(next);
        Assert.Equal(turns, looks.CurrentCount);
    }

    private static async Task AssertExpiredAsync(Task<IReadOnlyList<InferenceEvent>> next) =>
        Assert.Equal(InferenceErrorKind.DeadlineExceeded, Assert.IsType<InferenceEvent.Failed>(Assert.Single(await next.WaitAsync(Limit))).Error.Kind);

    private async Task PassAsync<T>(TimeSpan expected)
    {
        Assert.Equal(expected, await _time.UntilAwaitedByAsync<T>());
        _time.Advance(expected);
    }

    /// <param name="looks">How many may look into the store.</param>
    private Task<IReadOnlyList<InferenceEvent>> Next(TimeSpan deadline, SemaphoreSlim looks)
    {
        FakeBroker broker = new(_time);
        broker.Store.ReadTime = TimeSpan.FromMinutes(2);
        InferenceRequest request = DrainWorld.Request("a", 5, deadline: deadline).Request;
        return new AwaitedAnswer(request, new ResultStore(broker.Store), looks, TimeSpan.Zero, _time).NextAsync(CancellationToken.None).AsTask();
    }
}
