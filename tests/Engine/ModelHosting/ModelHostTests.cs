using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.Engine.ModelHosting;

/// <summary>Loading, sharing and leaving, over runners that are no models. Each variant takes 10 bytes: 8 of weights and 2 for keys and
/// values.</summary>
public sealed partial class ModelHostTests : IAsyncDisposable
{
    private const int VariantBytes = 10;

    private readonly HandMadeModels _models = new();
    private readonly FakeTimeProvider _time = new();
    private readonly ConcurrentQueue<string> _opened = new();
    private readonly ConcurrentDictionary<string, FakeRunner> _runners = new();
    private readonly ConcurrentDictionary<string, Exception> _faults = new();
    private readonly ConcurrentDictionary<string, ManualResetEventSlim> _gates = new();
    private ModelHost? _host;
    private int _maxWaiting = 100;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_variant_is_loaded_when_it_is_asked_for_and_then_shared()
    {
        var host = Host(room: 4, Folder("a", Precision.Fp32, Precision.Int8));
        Assert.Equal([], Loaded(host));
        using var first = await PlaceAsync(host, "a", Precision.Int8);
        using var second = await PlaceAsync(host, "a", Precision.Int8);
        Assert.Same(first.Variant, second.Variant);
        Assert.Equal(["a int8"], Loaded(host));
        Assert.Equal(["a int8"], _opened);
    }

    [Fact]
    public async Task Requests_that_come_during_a_load_wait_for_that_load_and_may_leave()
    {
        var host = Host(room: 1, Folder("a", Precision.Fp32), Folder("b", Precision.Fp32));
        using var gate = Hold("a fp32");
        var waiting = Enumerable.Range(0, 5).Select(_ => host.PlaceAsync("a", new PrecisionPreference(), Cancellation).AsTask()).ToArray();
        using CancellationTokenSource leave = new();
        var leaving = host.PlaceAsync("a", new PrecisionPreference(), leave.Token).AsTask();
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        Assert.All(waiting, one => Assert.False(one.IsCompleted));
        gate.Set();
        foreach (var placement in await Task.WhenAll(waiting)) placement.Lease!.Dispose();
        Assert.Single(_opened);
        // Nobody holds it now, so it leaves for another.
        using var other = await PlaceAsync(host, "b", null).WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        Assert.Equal(["b fp32"], Loaded(host));
    }

    [Fact]
    public async Task The_least_recently_used_leaves_and_its_engine_ends_before_the_next_load_begins()
    {
        var host = Host(room: 2, Folder("a", Precision.Fp32, Precision.Int8), Folder("b", Precision.Fp32));
        (await PlaceAsync(host, "a", Precision.Fp32)).Dispose();
        (await PlaceAsync(host, "a", Precision.Int8)).Dispose();
        (await PlaceAsync(host, "a", Precision.Fp32)).Dispose();
        var unloadedFirst = false;
        OnOpen = name => unloadedFirst |= name == "b fp32" && _runners["a int8"].IsDisposed;
        (await PlaceAsync(host, "b", Precision.Fp32)).Dispose();
        Assert.True(unloadedFirst);
        Assert.Equal(["a fp32", "b fp32"], Loaded(host));
        (await PlaceAsync(host, "a", Precision.Int8)).Dispose();
        Assert.Equal(["a int8", "b fp32"], Loaded(host));
    }

    [Fact]
    public async Task What_is_in_use_stays_and_the_newcomer_waits_for_it()
    {
        var host = Host(room: 1, Folder("a", Precision.Fp32), Folder("b", Precision.Fp32));
        var busy = await PlaceAsync(host, "a", Precision.Fp32);
        var next = host.PlaceAsync("b", new PrecisionPreference(), Cancellation).AsTask();
        (await PlaceAsync(host, "a", Precision.Fp32)).Dispose();
        Assert.False(next.IsCompleted);
        Assert.Equal(["a fp32"], Loaded(host));
        busy.Dispose();
        using var lease = (await next).Lease!;
        Assert.True(_runners["a fp32"].IsDisposed);
        Assert.Equal(["b fp32"], Loaded(host));
    }

    [Fact]
    public async Task A_variant_that_nobody_wants_any_more_once_it_is_loaded_makes_room()
    {
        var host = Host(room: 1, Folder("a", Precision.Fp32), Folder("b", Precision.Fp32));
        using var gate = Hold("a fp32");
        using CancellationTokenSource leave = new();
        var leaving = host.PlaceAsync("a", new PrecisionPreference(), leave.Token).AsTask();
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        var next = host.PlaceAsync("b", new PrecisionPreference(), Cancellation).AsTask();
        gate.Set();
        using var lease = (await next.WaitAsync(TimeSpan.FromSeconds(20), Cancellation)).Lease!;
        Assert.Equal(["b fp32"], Loaded(host));
    }

    [Fact]
    public async Task Patience_ends_with_a_refusal_that_says_when_to_retry()
    {
        var host = Host(room: 1, Folder("a", Precision.Fp32), Folder("b", Precision.Fp32));
        using var busy = await PlaceAsync(host, "a", Precision.Fp32);
        var next = host.PlaceAsync("b", new PrecisionPreference(), Cancellation).AsTask();
        _time.Advance(TimeSpan.FromSeconds(29));
        Assert.False(next.IsCompleted);
        _time.Advance(TimeSpan.FromSeconds(2));
        var error = (await next).Error!;
        Assert.Equal(InferenceErrorKind.Unavailable, error.Kind);
        Assert.NotNull(error.RetryAfter);
    }

    [Fact]
    public async Task Those_that_wait_are_bounded()
    {
        _maxWaiting = 3;
        var host = Host(room: 1, Folder("a", Precision.Fp32), Folder("b", Precision.Fp32));
        using var busy = await PlaceAsync(host, "a", Precision.Fp32);
        using CancellationTokenSource leave = new();
        var waiting = Enumerable.Range(0, 3).Select(_ => host.PlaceAsync("b", new PrecisionPreference(), leave.Token).AsTask()).ToArray();
        Assert.Equal(InferenceErrorKind.QueueFull, (await host.PlaceAsync("b", new PrecisionPreference(), Cancellation)).Error!.Kind);
        await leave.CancelAsync();
        foreach (var one in waiting) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);
        var again = host.PlaceAsync("b", new PrecisionPreference(), Cancellation).AsTask();
        busy.Dispose();
        (await again).Lease!.Dispose();
    }

    [Fact]
    public void A_measured_growth_counts_where_it_is_more_than_the_weights()
    {
        var host = Host(room: 4,
            _models.Make("a", variant => variant with { Bytes = 8, Evaluations = [Measured.On("cpu", 0, 1, memory: 20)] }, Precision.Fp32));
        Assert.Equal(22, Assert.Single(host.Status).MemoryBytes);
    }

    [Fact]
    public void Two_models_of_one_name_are_refused()
    {
        var folder = Folder("a", Precision.Fp32);
        Assert.Contains("'a'", Assert.Throws<ModelLoadException>(() => Host(room: 4, folder, ModelFolder.Open(folder.Path))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task Under_changing_load_no_stream_breaks_and_the_budget_holds()
    {
        ModelFolder[] folders = [Folder("a", Precision.Fp32, Precision.Int8), Folder("b", Precision.Fp32, Precision.Int4),
            Folder("c", Precision.Fp16)];
        var host = Host(room: 2, time: TimeProvider.System, folders);
        var expected = new string[200];
        await using (var alone = new LocalInference([Open(folders[0], folders[0].Manifest.Variants[0]).Complete(ModelText.Load(folders[0]))]))
        {
            for (var i = 0; i < expected.Length; i++) expected[i] = Text(await RunAsync(alone, Ask("a", i), Cancellation));
        }

        _opened.Clear();
        var most = 0;
        OnOpen = _ => most = Math.Max(most, _runners.Values.Count(runner => !runner.IsDisposed));
        var inference = new LocalInference(host);
        (string Model,
            Precision Precision)[] targets = [("a", Precision.Fp32), ("a", Precision.Int8), ("b", Precision.Fp32), ("b", Precision.Int4),
            ("c", Precision.Fp16)];
        await Parallel.ForEachAsync(Enumerable.Range(0, expected.Length),
            new ParallelOptions { MaxDegreeOfParallelism = 12, CancellationToken = Cancellation }, async (i, token) =>
        {
            var (model, precision) = targets[i * 7 % targets.Length];
            var events = await RunAsync(inference, Ask(model, i) with { Precision = new PrecisionPreference(precision) }, token);
            Assert.Equal(precision, Assert.IsType<InferenceEvent.Admitted>(events[0]).Variant.Precision);
            Assert.Equal(1 + (i % 40), Assert.IsType<InferenceEvent.Finished>(events[^1]).Usage.CompletionTokens);
            Assert.Equal(expected[i], Text(events));
        });
        Assert.InRange(most, 0, 1);
        Assert.InRange(Loaded(host).Length, 1, 2);
        Assert.True(_opened.Count > targets.Length, "nothing was ever unloaded");
    }

    [Fact]
    public async Task Disposing_ends_what_runs_what_waits_and_what_is_being_loaded()
    {
        var host = Host(room: 2, Folder("a", Precision.Fp32), Folder("b", Precision.Fp32), Folder("c", Precision.Fp32));
        var busy = await PlaceAsync(host, "a", Precision.Fp32);
        using var gate = Hold("b fp32");
        var loading = host.PlaceAsync("b", new PrecisionPreference(), Cancellation).AsTask();
        var waiting = host.PlaceAsync("c", new PrecisionPreference(), Cancellation).AsTask();
        var disposed = host.DisposeAsync().AsTask();
        Assert.Equal(InferenceErrorKind.Unavailable, (await waiting).Error!.Kind);
        Assert.False(disposed.IsCompleted);
        gate.Set();
        await disposed;
        await loading;
        Assert.All(_runners.Values, runner => Assert.True(runner.IsDisposed));
        busy.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        if (_host is not null) await _host.DisposeAsync();
        _models.Dispose();
    }

    private Action<string> OnOpen { get; set; } = _ => { };

    private Func<string, ExecutionProvider> ProviderOf { get; set; } = _ => ExecutionProvider.Cpu(new RuntimeOptions());

    private static string[] Loaded(ModelHost host) =>
        [.. host.Status.Where(one => one.Loaded is not null).Select(one => $"{one.Folder.Name} {PrecisionName.Of(one.Variant.Precision)}")];

    private static InferenceRequest Ask(string model, int number) => new()
    {
        Id = RequestId.New(), Model = model, Prompt = new Prompt.Tokens([1 + (number % 50), 2, 3]), MaxTokens = 1 + (number % 40),
        IgnoreEndOfSequence = true,
        Sampling = new SamplingOptions { Temperature = 0 },
    };

    private static async Task<List<InferenceEvent>> RunAsync(LocalInference inference, InferenceRequest request, CancellationToken token)
    {
        List<InferenceEvent> events = [];
        await foreach (var inferenceEvent in inference.RunAsync(request, token)) events.Add(inferenceEvent);
        return events;
    }

    private static string Text(IEnumerable<InferenceEvent> events) =>
        string.Concat(events.OfType<InferenceEvent.Delta>().Select(delta => delta.Text));

    private static async Task<VariantLease> PlaceAsync(ModelHost host, string model, Precision? precision)
    {
        var placement = await host.PlaceAsync(model, new PrecisionPreference(precision), Cancellation);
        Assert.Null(placement.Error);
        return placement.Lease!;
    }

    /// <summary>The smaller the weights, the faster.</summary>
    private static ModelVariant Quick(ModelVariant variant) =>
        variant with { Bytes = 8, Evaluations = [Measured.On("cpu", (int)variant.Precision / 10.0, 1000 * (1 + (int)variant.Precision))] };

    private ModelFolder Folder(string name, params Precision[] precisions) => _models.Make(name, variant => variant with { Bytes = 8 }, precisions);

    private ManualResetEventSlim Hold(string name) => _gates[name] = new ManualResetEventSlim();

    private ModelHost Host(int room, params ModelFolder[] folders) => Host(room, _time, folders);

    private ModelHost Host(int room, TimeProvider time, params ModelFolder[] folders)
    {
        var options = new ModelHostOptions { MemoryBytes = room * VariantBytes, MaxWaiting = _maxWaiting };
        return _host = new ModelHost(HostedModels.Of(folders, options, kvMemory: 2, time), options, Open, time);
    }

    private OpenedVariant Open(ModelFolder folder, ModelVariant variant)
    {
        var name = $"{folder.Name} {(folder.Version is { } version ? $"{version} " : "")}{PrecisionName.Of(variant.Precision)}";
        _opened.Enqueue(name);
        OnOpen(name);
        if (_gates.TryGetValue(name, out var gate)) gate.Wait(Cancellation);
        if (_faults.TryGetValue(name, out var fault)) throw fault;
        var runner = _runners[name] = new FakeRunner(folder.Config.VocabularySize);
        return new OpenedVariant(
            text => new LoadedDecoder(folder, variant, (DecoderText)text!, runner, new EngineOptions { KvMemory = 4096 }, ProviderOf(name), TimeProvider.System),
            runner.Dispose);
    }
}
