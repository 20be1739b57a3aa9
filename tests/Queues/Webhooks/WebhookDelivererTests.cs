using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Webhooks;

namespace R1Serverless.Tests.Queues.Webhooks;

/// <summary>Calls that are owed, whoever dies.</summary>
public sealed class WebhookDelivererTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly MemoryStore _store;
    private readonly List<TimeSpan> _tries = [];
    private WebhookOutcome _outcome = WebhookOutcome.Delivered;

    public WebhookDelivererTests() => _store = new FakeBroker(_time).Store;

    private TimeSpan Now => _time.GetUtcNow() - _time.Start;

    [Fact]
    public async Task It_calls_once_when_the_request_has_ended()
    {
        var deliverer = await OwedAsync();
        await deliverer.SweepAsync(default);
        Assert.Empty(_tries);
        await EndAsync();
        await PassAsync(deliverer, TimeSpan.FromSeconds(10));
        Assert.Single(_tries);
        Assert.False(await _store.ExistsAsync("webhooks/r.json", default));
    }

    [Fact]
    public async Task What_fails_is_tried_eight_times_over_about_an_hour()
    {
        var deliverer = await OwedAsync();
        await EndAsync();
        _outcome = WebhookOutcome.Failed;
        await PassAsync(deliverer, TimeSpan.FromHours(2));
        Assert.Equal(WebhookDeliverer.MaxTries, _tries.Count);
        Assert.InRange(_tries[^1] - _tries[0], TimeSpan.FromMinutes(45), TimeSpan.FromMinutes(92));
        for (var i = 2; i < _tries.Count; i++) Assert.InRange((_tries[i] - _tries[i - 1]) / (_tries[i - 1] - _tries[i - 2]), 1.5, 9);
        Assert.False(await _store.ExistsAsync("webhooks/r.json", default));
    }

    [Fact]
    public async Task What_refuses_for_good_is_not_asked_again()
    {
        var deliverer = await OwedAsync();
        await EndAsync();
        _outcome = WebhookOutcome.Refused;
        await PassAsync(deliverer, TimeSpan.FromMinutes(10));
        Assert.Single(_tries);
    }

    [Fact]
    public async Task Of_several_deliverers_one_tries_at_a_time_and_another_follows_one_that_died()
    {
        await OwedAsync();
        await EndAsync();
        TaskCompletionSource<WebhookOutcome> never = new();
        WebhookDeliverer dying = new(_store, (_, _, _) => never.Task, _time, NullLogger.Instance), second = Deliverer();
        var hangs = dying.SweepAsync(default);
        await PassAsync(second, WebhookDeliverer.ClaimTime - TimeSpan.FromSeconds(1));
        Assert.Empty(_tries);
        await PassAsync(second, TimeSpan.FromSeconds(10));
        Assert.Single(_tries);
        never.SetResult(WebhookOutcome.Failed);
        await hangs;
        Assert.False(await _store.ExistsAsync("webhooks/r.json", default));
    }

    private WebhookDeliverer Deliverer() => new(
        _store,
        (delivery, result, _) =>
        {
            Assert.Equal("https://example.com/", delivery.Url);
            Assert.Equal("r", result.Id.Value);
            _tries.Add(Now);
            return Task.FromResult(_outcome);
        },
        _time,
        NullLogger.Instance);

    private async Task<WebhookDeliverer> OwedAsync()
    {
        await new WebhookDeliveries(_store).AddAsync(new WebhookDelivery("r", "", "https://example.com/"), default);
        return Deliverer();
    }

    private async Task EndAsync() =>
        await new ResultStore(_store).TryPutAsync(
            new InferenceResult { Id = new RequestId("r"), Outcome = RequestOutcome.Finished, Usage = new Usage(1, 1, 0) }, default);

    private async Task PassAsync(WebhookDeliverer deliverer, TimeSpan span)
    {
        for (var end = Now + span; Now < end; _time.Advance(TimeSpan.FromSeconds(0.5))) await deliverer.SweepAsync(default);
    }
}
