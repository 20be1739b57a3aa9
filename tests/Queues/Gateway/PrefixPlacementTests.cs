using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Gateway;

namespace R1Serverless.Tests.Queues.Gateway;

/// <summary>Which worker gets a request first, by the beginnings of prompts that it ran and by the load.</summary>
public sealed class PrefixPlacementTests
{
    private static readonly VariantLife Life = new(TimeSpan.Zero, TimeSpan.Zero, 0, 0) { SharesPrefixes = true };
    private static readonly ServedModel Model = LeaseExtensions.Model("m") with
    {
        Variants = [new ServedVariant(Precision.Fp32, 9, null, Life)],
    };

    private readonly WatchedTime _time = new();
    private readonly FakeBroker _broker;
    private readonly WorkerRegistrations _registrations;
    private readonly PrefixPlacement _placement;
    private string? _salt = "";
    private int _requests;

    public PrefixPlacementTests()
    {
        _broker = new FakeBroker(_time);
        _registrations = new WorkerRegistrations(_broker.Store);
        _placement = new PrefixPlacement(new WorkerDirectory(_registrations, _time), _ => _salt, _time);
    }

    [Theory]
    [InlineData("b", "a:1:0", "b:2:0", "c:0:0")]
    [InlineData("b", "a:2:3", "b:2:1")]
    [InlineData("b", "a:0:0", "b:1:3")]
    // Where one has much more to do than another, the request is anybody's.
    [InlineData(null, "a:0:0", "b:1:4")]
    [InlineData("b", "a:0:2", "b:1:5")]
    [InlineData(null, "a:0:0", "b:0:0")]
    [InlineData(null, "a:5:0")]
    public void The_longest_beginning_decides_and_the_load_always_counts(string? expected, params string[] workers) =>
        Assert.Equal(expected, PrefixChoice.Of([.. workers.Select(one => one.Split(':')).Select(
            parts => new PrefixCandidate(parts[0], int.Parse(parts[1]), int.Parse(parts[2])))]));

    [Fact]
    public async Task A_hot_beginning_spreads()
    {
        await RegisterAsync("a", [.. Beginnings]);
        await RegisterAsync("b");
        List<string?> named = [];
        for (var i = 0; i < PrefixChoice.MostAhead + 1; i++) named.Add((await PlaceAsync())!.Worker);
        Assert.Equal(["a", "a", "a", "a", null], named);

        // Whoever takes what is anybody's has the beginning as well.
        _placement.OnAnswering(new RequestId($"r{_requests}"), "b");
        for (var i = 0; i < 3; i++) Assert.Equal("b", (await PlaceAsync())!.Worker);
    }

    [Fact]
    public async Task A_request_that_has_ended_is_no_load()
    {
        await RegisterAsync("a", [.. Beginnings]);
        await RegisterAsync("b");
        for (var i = 0; i < 20; i++)
        {
            using var place = await PlaceAsync();
            Assert.Equal("a", place!.Worker);
            _placement.OnAnswering(new RequestId($"r{_requests}"), i % 2 == 0 ? "a" : "b");
        }
    }

    [Fact]
    public async Task Who_answered_here_is_named_before_it_says_so_itself()
    {
        await RegisterAsync("a");
        await RegisterAsync("b");
        using (var first = await PlaceAsync())
        {
            Assert.Null(first!.Worker);
            _placement.OnAnswering(new RequestId($"r{_requests}"), "b");
        }

        using var second = await PlaceAsync();
        Assert.Equal("b", second!.Worker);
    }

    [Fact]
    public async Task No_worker_is_named_that_is_full_or_shares_nothing_or_serves_it_not_or_is_silent()
    {
        await RegisterAsync("free");
        await RegisterAsync("idle");
        await _registrations.PublishAsync(
            new WorkerRegistration("full", 1, [Model]) { Prefixes = Beginnings, IsFull = true }, CancellationToken.None);
        await _registrations.PublishAsync(
            new WorkerRegistration("apart", 1, [LeaseExtensions.Model("m")]) { Prefixes = Beginnings }, CancellationToken.None);
        await _registrations.PublishAsync(
            new WorkerRegistration("other", 1, [Model with { Id = "n" }]) { Prefixes = Beginnings }, CancellationToken.None);
        Assert.Null((await PlaceAsync())!.Worker);

        await RegisterAsync("gone", [.. Beginnings]);
        _time.Advance(WorkerDirectory.Freshness);
        Assert.Equal("gone", (await PlaceAsync())!.Worker);
        _time.Advance(WorkerDirectory.LongestSilence + TimeSpan.FromSeconds(1));
        await RegisterAsync("free", count: 2);
        await RegisterAsync("idle", count: 2);
        Assert.Null((await PlaceAsync())!.Worker);
    }

    [Fact]
    public async Task A_store_that_is_away_names_nobody_and_short_or_unshared_prompts_ask_nobody()
    {
        _broker.IsDown = true;
        var place = await PlaceAsync();
        Assert.Null(place!.Worker);
        Assert.Equal(Beginnings, place.Prefixes);
        var asked = _broker.Store.Listings;
        Assert.Empty((await PlaceAsync("short"))!.Prefixes);
        _salt = null;
        Assert.Null(await PlaceAsync());
        Assert.Equal(asked, _broker.Store.Listings);
    }

    private static string Prompt => new('x', 600);

    private IReadOnlyList<string> Beginnings => PrefixHashes.Of(Request("any", Prompt), _salt!);

    private ValueTask<PrefixPlacement.Place?> PlaceAsync(string? prompt = null) =>
        _placement.PlaceAsync(Request($"r{++_requests}", prompt ?? Prompt), CancellationToken.None);

    private static InferenceRequest Request(string id, string prompt) =>
        new() { Id = new RequestId(id), Model = "m", Prompt = new Prompt.Text(prompt) };

    private ValueTask RegisterAsync(string id, string[]? prefixes = null, long count = 1) => _registrations.PublishAsync(
        new WorkerRegistration(id, count, [Model]) { Prefixes = prefixes ?? [] }, CancellationToken.None);
}
