using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Tests.Queues;

public sealed class WorkerCardsTests
{
    private readonly WatchedTime _time = new();
    private readonly FakeBroker _broker;
    private readonly WorkerCards _cards;
    private readonly LiveWorkers _workers;

    public WorkerCardsTests()
    {
        _broker = new FakeBroker(_time);
        _cards = new WorkerCards(_broker.Store);
        _workers = new LiveWorkers(_cards, _time);
    }

    [Fact]
    public async Task A_card_reads_back_as_it_was_written()
    {
        ServedModel model = Model("m") with { Variants = [new ServedVariant(Precision.Int8, 5, new MeasuredVariant(0.9, 0.5, true, new Dictionary<int, double> { [8] = 12.5 }), new VariantLife(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), 3, 4))] };
        await _cards.PublishAsync(new WorkerCard("w", 7, [model]), CancellationToken.None);
        WorkerCard card = Assert.Single(await _cards.ListAsync(CancellationToken.None)).Card;
        Assert.Equal(("w", 7L), (card.Id, card.Count));
        ServedModel read = Assert.Single(card.Models);
        Assert.Equal((model.Id, model.Created, model.OwnedBy, model.ContextLength, model.Device), (read.Id, read.Created, read.OwnedBy, read.ContextLength, read.Device));
        ServedVariant variant = Assert.Single(read.Variants);
        Assert.Equal((Precision.Int8, 5L, model.Variants[0].Loaded), (variant.Precision, variant.Bytes, variant.Loaded));
        Assert.Equal((0.9, 0.5, true, 12.5), (variant.Evaluation!.Accuracy, variant.Evaluation.AccuracyDrop, variant.Evaluation.IsWithinTolerance, variant.Evaluation.TokensPerSecond[8]));
    }

    [Fact]
    public async Task A_card_that_can_not_be_read_is_no_worker()
    {
        foreach (string content in (string[])["", "{", "null", "{}", """{"id":"w","count":"x","models":[]}"""])
        {
            await _broker.Store.PutAsync($"{WorkerCards.Folder}broken.json", System.Text.Encoding.UTF8.GetBytes(content), PutCondition.Always, CancellationToken.None);
            Assert.Empty(await _cards.ListAsync(CancellationToken.None));
        }
    }

    [Fact]
    public async Task A_worker_lives_while_its_count_changes_and_dies_when_it_falls_silent()
    {
        for (int count = 1; count <= 20; count++)
        {
            await PublishAsync("w", count);
            Assert.Single(await _workers.ListAsync(CancellationToken.None));
            _time.Advance(WorkerCards.Interval);
        }

        Assert.Single(await _workers.ListAsync(CancellationToken.None));
        _time.Advance(LiveWorkers.LongestSilence);
        Assert.Empty(await _workers.ListAsync(CancellationToken.None));
        await PublishAsync("w", 21);
        _time.Advance(LiveWorkers.Freshness);
        Assert.Single(await _workers.ListAsync(CancellationToken.None));
    }

    [Fact]
    public async Task What_a_killed_worker_left_is_no_worker_for_one_who_comes_later()
    {
        await PublishAsync("dead", 3);
        _time.Advance(LiveWorkers.LongestSilence + TimeSpan.FromSeconds(1));
        await PublishAsync("alive", 1);
        Assert.Equal(["alive"], (await new LiveWorkers(_cards, _time).ListAsync(CancellationToken.None)).Select(card => card.Id));
    }

    [Fact]
    public async Task Many_questions_cost_one_reading_every_two_seconds()
    {
        await PublishAsync("w", 1);
        for (int i = 0; i < 50; i++) await _workers.ListAsync(CancellationToken.None);
        Assert.Equal(1, _broker.Store.Listings);
        _time.Advance(LiveWorkers.Freshness);
        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => _workers.ListAsync(CancellationToken.None).AsTask()));
        Assert.Equal(2, _broker.Store.Listings);
    }

    [Fact]
    public async Task A_model_is_refused_only_where_workers_are_there_that_do_not_serve_it()
    {
        Assert.True(await _workers.MayServeAsync("m", CancellationToken.None));
        await PublishAsync("w", 1);
        _time.Advance(LiveWorkers.Freshness);
        Assert.True(await _workers.MayServeAsync("m", CancellationToken.None));
        Assert.False(await _workers.MayServeAsync("other", CancellationToken.None));

        // A model once seen needs no store.
        _time.Advance(TimeSpan.FromHours(1));
        _broker.IsDown = true;
        Assert.True(await _workers.MayServeAsync("m", CancellationToken.None));
        await Assert.ThrowsAsync<TransportException>(async () => await _workers.MayServeAsync("other", CancellationToken.None));
        _broker.IsDown = false;
        Assert.True(await _workers.MayServeAsync("other", CancellationToken.None));
    }

    [Fact]
    public async Task A_worker_publishes_again_and_again_survives_faults_and_takes_its_card_away()
    {
        int running = 0;
        using CancellationTokenSource end = new();
        WorkerPresence presence = new(_cards, () => [Model("m", new VariantLife(TimeSpan.Zero, TimeSpan.Zero, ++running, 0))], _time, NullLogger.Instance);
        Task published = presence.RunAsync(end.Token);
        await _time.UntilAwaitedByAsync<WorkerPresence>();
        await ShowsAsync(1, 1);
        _broker.IsDown = true;
        await PassAsync();
        Assert.Equal(2, running);
        _broker.IsDown = false;
        await PassAsync();
        await ShowsAsync(3, 3);
        await end.CancelAsync();
        await published;
        Assert.Empty(await _cards.ListAsync(CancellationToken.None));

        // Until it waits again: the broker is for one thread at a time.
        async Task PassAsync()
        {
            _time.Advance(WorkerCards.Interval);
            await _time.UntilAwaitedByAsync<WorkerPresence>();
        }

        async Task ShowsAsync(long count, int load)
        {
            WorkerCard card = Assert.Single(await _cards.ListAsync(CancellationToken.None)).Card;
            Assert.Equal((count, load), (card.Count, card.Models[0].Variants[0].Loaded!.Running));
        }
    }

    [Fact]
    public async Task A_new_worker_tidies_up_what_killed_ones_left()
    {
        await PublishAsync("old", 9);
        _time.Advance(TimeSpan.FromHours(2));
        await PublishAsync("young", 1);
        await _cards.PurgeAsync(CancellationToken.None);
        Assert.Equal(["young"], (await _cards.ListAsync(CancellationToken.None)).Select(one => one.Card.Id));
    }

    [Fact]
    public void Workers_are_listed_as_one_server()
    {
        VariantLife idle = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1), 1, 2), busy = idle with { Running = 10, Waiting = 20 };
        WorkerCard one = new("a", 1, [Model("m", idle), Model("n")]), two = new("b", 5, [Model("m", busy) with { Device = "cuda" }]), three = new("c", 1, [Model("m")]);
        IReadOnlyList<ServedModel> models = ModelListing.Of([one, two, three]);
        Assert.Equal(["m", "n"], models.Select(model => model.Id));
        Assert.Equal("cpu, cuda", models[0].Device);
        Assert.Equal((11, 22), Assert.Single(models[0].Variants).Loaded is { } life ? (life.Running, life.Waiting) : default);
        Assert.Null(Assert.Single(models[1].Variants).Loaded);
    }

    private static ServedModel Model(string id, VariantLife? life = null) => new()
    {
        Id = id, Created = DateTimeOffset.UnixEpoch, OwnedBy = "r1serverless", ContextLength = 128, Device = "cpu", Variants = [new ServedVariant(Precision.Fp32, 9, null, life)],
    };

    private ValueTask PublishAsync(string id, long count) => _cards.PublishAsync(new WorkerCard(id, count, [Model("m")]), CancellationToken.None);
}
