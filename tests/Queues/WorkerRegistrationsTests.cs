using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Queues;

public sealed class WorkerCardsTests
{
    private readonly WatchedTime _time = new();
    private readonly FakeBroker _broker;
    private readonly WorkerRegistrations _registrations;
    private readonly WorkerDirectory _workers;

    public WorkerCardsTests()
    {
        _broker = new FakeBroker(_time);
        _registrations = new WorkerRegistrations(_broker.Store);
        _workers = new WorkerDirectory(_registrations, _time);
    }

    [Fact]
    public async Task A_card_reads_back_as_it_was_written()
    {
        var model = Model(
            "m") with
        {
            Variants =
            [new ServedVariant(Precision.Int8, 5, new MeasuredVariant(0.9, 0.5, true, new Dictionary<int, double> { [8] = 12.5 }),
            new VariantLife(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), 3, 4))]
        };
        await _registrations.PublishAsync(new WorkerRegistration("w", 7, [model]), CancellationToken.None);
        var registration = Assert.Single(await _registrations.ListAsync(CancellationToken.None)).Registration;
        Assert.Equal(("w", 7L), (registration.Id, registration.Count));
        var read = Assert.Single(registration.Models);
        Assert.Equal((model.Id, model.Created, model.OwnedBy, model.ContextLength, model.Device),
            (read.Id, read.Created, read.OwnedBy, read.ContextLength, read.Device));
        var variant = Assert.Single(read.Variants);
        Assert.Equal((Precision.Int8, 5L, model.Variants[0].Loaded), (variant.Precision, variant.Bytes, variant.Loaded));
        Assert.Equal((0.9, 0.5, true, 12.5),
            (variant.Evaluation!.Accuracy, variant.Evaluation.AccuracyDrop, variant.Evaluation.IsWithinTolerance,
            variant.Evaluation.TokensPerSecond[8]));
    }

    [Fact]
    public async Task A_card_that_can_not_be_read_is_no_worker()
    {
        foreach (var content in (string[])["", "{", "null", "{}", """{"id":"w","count":"x","models":[]}"""])
        {
            await _broker.Store.PutAsync($"{WorkerRegistrations.Folder}broken.json", System.Text.Encoding.UTF8.GetBytes(content),
                PutCondition.Always, CancellationToken.None);
            Assert.Empty(await _registrations.ListAsync(CancellationToken.None));
        }
    }

    [Fact]
    public async Task A_worker_lives_while_its_count_changes_and_dies_when_it_falls_silent()
    {
        for (var count = 1; count <= 20; count++)
        {
            await PublishAsync("w", count);
            Assert.Single(await _workers.ListAsync(CancellationToken.None));
            _time.Advance(WorkerRegistrations.Interval);
        }

        Assert.Single(await _workers.ListAsync(CancellationToken.None));
        _time.Advance(WorkerDirectory.LongestSilence);
        Assert.Empty(await _workers.ListAsync(CancellationToken.None));
        await PublishAsync("w", 21);
        _time.Advance(WorkerDirectory.Freshness);
        Assert.Single(await _workers.ListAsync(CancellationToken.None));
    }

    [Fact]
    public async Task What_a_killed_worker_left_is_no_worker_for_one_who_comes_later()
    {
        await PublishAsync("dead", 3);
        _time.Advance(WorkerDirectory.LongestSilence + TimeSpan.FromSeconds(1));
        await PublishAsync("alive", 1);
        Assert.Equal(["alive"], (await new WorkerDirectory(_registrations, _time).ListAsync(CancellationToken.None)).Select(worker => worker.Id));
    }

    [Fact]
    public async Task Many_questions_cost_one_reading_every_two_seconds()
    {
        await PublishAsync("w", 1);
        for (var i = 0; i < 50; i++) await _workers.ListAsync(CancellationToken.None);
        Assert.Equal(1, _broker.Store.Listings);
        _time.Advance(WorkerDirectory.Freshness);
        await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => _workers.ListAsync(CancellationToken.None).AsTask()));
        Assert.Equal(2, _broker.Store.Listings);
    }

    [Fact]
    public async Task What_is_known_of_workers_outlasts_a_store_that_is_away_or_slow_but_not_for_long()
    {
        await Assert.ThrowsAsync<TransportException>(async () => await DownAsync());
        await PublishAsync("w", 1);
        Assert.Single(await _workers.ListKnownAsync(CancellationToken.None));
        _time.Advance(WorkerDirectory.Freshness);
        Assert.Single(await DownAsync());

        // This read ends when the store does.
        TaskCompletionSource slow = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _broker.Store.BeforeList = _ => slow.Task;
        var known = _workers.ListKnownAsync(CancellationToken.None).AsTask();
        await _time.UntilAwaitedAsync(WorkerDirectory.Patience);
        _time.Advance(WorkerDirectory.Patience);
        Assert.Single(await known);

        _time.Advance(WorkerDirectory.LongestBelief);
        var late = _workers.ListKnownAsync(CancellationToken.None).AsTask();
        await _time.UntilAwaitedAsync(WorkerDirectory.Patience);
        _time.Advance(WorkerDirectory.Patience);
        await Assert.ThrowsAsync<TransportException>(() => late);
        slow.SetResult();
        await Eventually.HoldsAsync(async () => (await _workers.ListKnownAsync(CancellationToken.None)).Count == 0,
            () => "the end of a worker that has long been silent");

        async ValueTask<IReadOnlyList<WorkerRegistration>> DownAsync()
        {
            _broker.IsDown = true;
            try
            {
                return await _workers.ListKnownAsync(CancellationToken.None);
            }
            finally
            {
                _broker.IsDown = false;
            }
        }
    }

    [Fact]
    public async Task A_model_is_refused_only_where_workers_are_there_that_do_not_serve_it()
    {
        Assert.Null(await RefusalAsync("m"));
        await PublishAsync("w", 1);
        _time.Advance(WorkerDirectory.Freshness);
        Assert.Null(await RefusalAsync("m"));
        Assert.Equal(InferenceErrorKind.ModelNotFound, (await RefusalAsync("other"))?.Kind);

        // A model once seen needs no store.
        _time.Advance(TimeSpan.FromHours(1));
        _broker.IsDown = true;
        Assert.Null(await RefusalAsync("m"));
        await Assert.ThrowsAsync<TransportException>(async () => await RefusalAsync("other"));
        _broker.IsDown = false;
        Assert.Null(await RefusalAsync("other"));
    }

    [Fact]
    public async Task A_precision_is_refused_only_where_no_worker_of_the_model_has_it()
    {
        await _registrations.PublishAsync(new WorkerRegistration("w", 1, [LeaseExtensions.Model("m", Precision.Fp32)]), CancellationToken.None);
        Assert.Null(await RefusalAsync("m", Precision.Fp32));
        var refusal = await RefusalAsync("m", Precision.Int8);
        Assert.Equal((InferenceErrorKind.InvalidRequest, "precision"), (refusal!.Kind, refusal.Field));

        await _registrations.PublishAsync(new WorkerRegistration("x", 1, [LeaseExtensions.Model("m", Precision.Int8)]), CancellationToken.None);
        _time.Advance(WorkerDirectory.Freshness);
        Assert.Null(await RefusalAsync("m", Precision.Int8));
        Assert.True((await _workers.CheckAsync(new RequestRoute("m", Precision.Int8), CancellationToken.None)).IsServed);
    }

    [Fact]
    public async Task A_worker_refuses_nothing_before_it_knows_its_own_models()
    {
        using WorkerDirectory own = new(_registrations, _time) { IsWorker = true };
        await PublishAsync("w", 1);
        RequestRoute route = new("mine");
        Assert.Equal(RouteCheck.Unknown, await own.CheckAsync(route, CancellationToken.None));
        own.Own = () => [Model("mine")];
        Assert.Equal(RouteCheck.Served, await own.CheckAsync(route, CancellationToken.None));
        Assert.NotNull((await own.CheckAsync(new RequestRoute("other"), CancellationToken.None)).Refusal);
    }

    [Fact]
    public async Task A_worker_publishes_again_and_again_survives_faults_and_takes_its_card_away()
    {
        var running = 0;
        using CancellationTokenSource end = new();
        WorkerHeartbeat presence =
            new(_registrations, () => [Model("m", new VariantLife(TimeSpan.Zero, TimeSpan.Zero, ++running, 0))], new WorkerPrefixes("w", _time),
                () => false, _time, NullLogger.Instance);
        var published = presence.RunAsync(end.Token);
        await _time.UntilAwaitedAsync(WorkerRegistrations.Interval);
        await ShowsAsync(1, 1);
        _broker.IsDown = true;
        await PassAsync();
        Assert.Equal(2, running);
        _broker.IsDown = false;
        await PassAsync();
        await ShowsAsync(3, 3);
        await end.CancelAsync();
        await published;
        Assert.Empty(await _registrations.ListAsync(CancellationToken.None));

        // Until it waits again: the broker is for one thread at a time.
        async Task PassAsync()
        {
            _time.Advance(WorkerRegistrations.Interval);
            await _time.UntilAwaitedAsync(WorkerRegistrations.Interval);
        }

        async Task ShowsAsync(long count, int load)
        {
            var registration = Assert.Single(await _registrations.ListAsync(CancellationToken.None)).Registration;
            Assert.Equal((count, load), (registration.Count, registration.Models[0].Variants[0].Loaded!.Running));
        }
    }

    [Fact]
    public async Task A_new_worker_tidies_up_what_killed_ones_left()
    {
        await PublishAsync("old", 9);
        _time.Advance(TimeSpan.FromHours(2));
        await PublishAsync("young", 1);
        await _registrations.PurgeAsync(CancellationToken.None);
        Assert.Equal(["young"], (await _registrations.ListAsync(CancellationToken.None)).Select(one => one.Registration.Id));
    }

    [Fact]
    public void Workers_are_listed_as_one_server()
    {
        VariantLife idle = new(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1), 1, 2), busy = idle with { Running = 10, Waiting = 20 };
        WorkerRegistration one = new("a", 1, [Model("m", idle), Model("n")]), two = new("b", 5, [Model("m", busy) with { Device = "cuda" }]),
            three = new("c", 1, [Model("m")]);
        var models = ModelListing.Of([one, two, three]);
        Assert.Equal(["m", "n"], models.Select(model => model.Id));
        Assert.Equal("cpu, cuda", models[0].Device);
        Assert.Equal((11, 22), Assert.Single(models[0].Variants).Loaded is { } life ? (life.Running, life.Waiting) : default);
        Assert.Null(Assert.Single(models[1].Variants).Loaded);
    }

    private static ServedModel Model(string id, VariantLife? life = null) =>
        LeaseExtensions.Model(id) with { Variants = [new ServedVariant(Precision.Fp32, 9, null, life)] };

    private async Task<InferenceError?> RefusalAsync(string model, Precision? precision = null) =>
        (await _workers.CheckAsync(new RequestRoute(model, precision), CancellationToken.None)).Refusal;

    private ValueTask PublishAsync(string id, long count) =>
        _registrations.PublishAsync(new WorkerRegistration(id, count, [Model("m")]), CancellationToken.None);
}
