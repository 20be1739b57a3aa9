using R1Serverless.Bench;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Steps;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>
/// Measures one model: at each concurrency the bare loop, the engine and HTTP in turn, several rounds. The bare loop runs before and after each of
/// the others, and the ratio is to the two together: a machine that gets faster or slower meanwhile favours none.
/// </summary>
internal sealed class ThroughputBench : IAsyncDisposable
{
    private const int PromptTokens = 32;
    private const int OutputTokens = 128;
    private const int MixedClients = 32;
    private static readonly TimeSpan WarmupTime = TimeSpan.FromSeconds(8);

    private readonly ModelFolder _folder;
    private readonly ThroughputOptions _options;
    private readonly TimeProvider _time;
    private readonly Action<string> _progress;
    private readonly RawLoop _raw;
    private readonly LocalInference _engine;
    private readonly ResidentGrowth _rawMemory = new(), _engineMemory = new();
    private readonly List<ThroughputRow> _rows = [];

    public ThroughputBench(ModelFolder folder, ThroughputOptions options, TimeProvider time, Action<string> progress)
    {
        (_folder, _options, _time, _progress) = (folder, options, time, progress);
        _raw = _rawMemory.Of(() => new RawLoop(folder.GraphPath(folder.Manifest.Variants[0]), options.Runtime, folder.Names));
        _engine = _engineMemory.Of(
            () => new LocalInference([LoadedVariant.OpenAlone(folder, folder.Manifest.Variants[0], options.Runtime, new EngineOptions(), time)]));
    }

    public async Task<IReadOnlyList<ThroughputRow>> RunAsync(CancellationToken cancellation)
    {
        await using var server = _options.Http
            ? await R1Server.StartAsync(_options.Executable, _folder.Path, _options.Runtime.Device, _time, cancellation) : null;
        await WarmAsync(server, cancellation);
        foreach (var clients in _options.Clients)
        {
            var waves = Waves(clients);
            await MeasureAsync(clients, LoadShape.Uniform(clients, waves, PromptTokens, OutputTokens), waves, server, cancellation);
        }

        if (_options.Clients.Contains(MixedClients)) await MeasureMixedAsync(cancellation);
        return _rows;
    }

    public async ValueTask DisposeAsync()
    {
        _raw.Dispose();
        await _engine.DisposeAsync();
    }

    /// <summary>Engine and server work for some seconds first: the runtime compiles what is used often anew, and the bare loop is hot as
    /// well.</summary>
    private async Task WarmAsync(R1Server? server, CancellationToken cancellation)
    {
        _progress($"{_folder.Name}: warming up");
        var shape = LoadShape.Uniform(8, 1, PromptTokens, 32);
        using var client = new HttpClient { BaseAddress = server?.Address };
        var began = _time.GetTimestamp();
        while (_time.GetElapsedTime(began) < WarmupTime)
        {
            await _engineMemory.OfAsync(() => LoadGenerator.RunAsync(shape, new LoadClient(_engine, _folder.Name).SendAsync, cancellation));
            if (server is not null) await LoadGenerator.RunAsync(shape, new HttpLoadClient(client, _folder.Name).SendAsync, cancellation);
        }
    }

    /// <summary>Requests of each client so that a run takes about a second at least, the bare loop's speed taken as the measure.</summary>
    private int Waves(int clients)
    {
        return (int)Math.Clamp(Math.Ceiling(1.0 / RunRaw(clients, OutputTokens)), 1, 64);
    }

    /// <summary>Seconds of one batch of the bare loop.</summary>
    private double RunRaw(int rows, int tokens) => _rawMemory.Of(() => _raw.Run(rows, PromptTokens, tokens)).TotalSeconds;

    private async Task MeasureAsync(int clients, LoadShape shape, int waves, R1Server? server, CancellationToken cancellation)
    {
        List<double> raw = [RunRawWaves(clients, waves)];
        List<LoadResult> engine = [], http = [];
        List<double> engineLimits = [], httpLimits = [];
        List<EngineProfile> profiles = [];
        for (var round = 0; round < _options.Rounds; round++)
        {
            _progress($"{_folder.Name}: {clients} at once, round {round + 1} of {_options.Rounds}");
            engine.Add(await RunEngineAsync(shape, profiles, cancellation));
            engineLimits.Add(AddRawAround());
            if (server is null) continue;
            http.Add(await ClientCommand.RunChildAsync(server.Address, _folder.Name, shape, cancellation));
            httpLimits.Add(AddRawAround());
        }

        _rows.Add(new ThroughputRow(_folder.Name, "raw", clients, Median(raw), 1, null, default, default, null, _rawMemory.Bytes));
        _rows.Add(Row("engine", clients, engine, engineLimits, _options.EngineBar(_folder.Name), profiles, _engineMemory.Bytes));
        if (server is not null) _rows.Add(Row("http", clients, http, httpLimits, _options.HttpBar(_folder.Name), [], server.Memory));

        // The same work before and after: their rates' harmonic mean is the rate of both together.
        double AddRawAround()
        {
            raw.Add(RunRawWaves(clients, waves));
            return 2 / ((1 / raw[^2]) + (1 / raw[^1]));
        }
    }

    /// <summary>Tokens per second of the bare loop over as many batches as the others are given.</summary>
    private double RunRawWaves(int clients, int waves)
    {
        var seconds = Enumerable.Range(0, waves).Sum(_ => RunRaw(clients, OutputTokens));
        return clients * OutputTokens * waves / seconds;
    }

    /// <summary>Outputs of 8 to 256 tokens from 32 clients: a static batch holds its slots until its longest row ends.</summary>
    private async Task MeasureMixedAsync(CancellationToken cancellation)
    {
        var shape = MixedLoad.Create(MixedClients, MixedClients * 6, PromptTokens, 8, 256);
        List<double> statics = [];
        List<LoadResult> continuous = [];
        List<EngineProfile> profiles = [];
        for (var round = 0; round < _options.Rounds; round++)
        {
            _progress($"{_folder.Name}: mixed lengths, round {round + 1} of {_options.Rounds}");
            var seconds = shape.OutputTokens.Chunk(MixedClients).Sum(batch => RunRaw(batch.Length, batch.Max()));
            statics.Add(shape.OutputTokens.Sum() / seconds);
            continuous.Add(await RunEngineAsync(shape, profiles, cancellation));
        }

        _rows.Add(new ThroughputRow(_folder.Name, "static", MixedClients, Median(statics), 1, null, default, default, null, _rawMemory.Bytes));
        _rows.Add(Row("continuous", MixedClients, continuous, statics, _options.ContinuousBar(_folder.Name), profiles, _engineMemory.Bytes));
    }

    private ThroughputRow Row(string way, int clients, List<LoadResult> results, List<double> limits, double? bar, List<EngineProfile> profiles,
        long memory) => new(
        _folder.Name,
        way,
        clients,
        Median(results.Select(r => r.TokensPerSecond)),
        Median(results.Zip(limits, (result, limit) => result.TokensPerSecond / limit)),
        bar,
        new Percentiles(Median(results.Select(r => r.FirstToken.P50)), Median(results.Select(r => r.FirstToken.P99))),
        new Percentiles(Median(results.Select(r => r.Gap.P50)), Median(results.Select(r => r.Gap.P99))),
        profiles.Count == 0 ? null
        : new EngineProfile(Median(profiles.Select(p => p.Model)), Median(profiles.Select(p => p.Sampling)),
        Median(profiles.Select(p => p.BytesPerToken))),
        memory);

    private async Task<LoadResult> RunEngineAsync(LoadShape shape, List<EngineProfile> profiles, CancellationToken cancellation)
    {
        var (before, allocated) = (_engine.Variants[0].Load, GC.GetTotalAllocatedBytes());
        var result = await _engineMemory.OfAsync(() => LoadGenerator.RunAsync(shape, new LoadClient(_engine, _folder.Name).SendAsync, cancellation));
        var after = _engine.Variants[0].Load;
        profiles.Add(new EngineProfile(
            (after.RunTime - before.RunTime).TotalSeconds / result.Seconds,
            (after.CommitTime - before.CommitTime).TotalSeconds / result.Seconds,
            (GC.GetTotalAllocatedBytes() - allocated) / (double)result.Tokens));
        return result;
    }

    private static double Median(IEnumerable<double> values) => InterleavedRates.Median(values);
}
