using R1Serverless.Abstractions;
using R1Serverless.Bench;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Steps;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>Measures a model's variants: each in turn with FP32, with itself at one row, and with the machine's memory. At most two are loaded at a
/// time.</summary>
/// <param name="folder">The model.</param>
/// <param name="options">What to measure.</param>
/// <param name="time">Dates and times the engine.</param>
/// <param name="progress">Told what is being measured.</param>
internal sealed class PrecisionBench(ModelFolder folder, PrecisionOptions options, TimeProvider time, Action<string> progress)
{
    /// <summary>The memory that is measured is the processor's.</summary>
    private static readonly RuntimeOptions OnCpu = new() { Device = DeviceKind.Cpu };

    private readonly MemoryBandwidth _memory = new();
    private readonly List<double> _bandwidths = [];

    public async Task<PrecisionReport> RunAsync(BuildCost? built, CancellationToken cancellation)
    {
        ModelVariant[] all = [.. folder.Manifest.Variants.OrderBy(v => v.Precision)];
        foreach (var asked in options.Precisions.Where(p => all.All(v => v.Precision != p)))
            throw new InvalidModelException(
                $"{folder.Name} has no {PrecisionName.Of(asked)} variant; it has {string.Join(", ", all.Select(v => PrecisionName.Of(v.Precision)))}.");
        ModelVariant[] measured = [.. all.Where(v => options.Precisions.Count == 0 || options.Precisions.Contains(v.Precision))];
        var exact = measured.FirstOrDefault(v => v.Precision == Precision.Fp32);
        List<PrecisionRow> rows = [];
        foreach (var variant in measured) rows.Add(await MeasureAsync(variant, exact, cancellation));
        return new PrecisionReport(folder.Name, folder.Manifest.Parameters, InterleavedRates.Median(_bandwidths), _bandwidths.Max(), built, rows);
    }

    private async Task<PrecisionRow> MeasureAsync(ModelVariant variant, ModelVariant? exact, CancellationToken cancellation)
    {
        Say(variant, "loading in a process of its own");
        var probe = await VariantProbe.RunChildAsync(folder, variant, options.Rows.Max(), DeviceKind.Cpu, cancellation);
        var weights = GraphWeights.ReadPerStep(folder.GraphPath(variant));
        using var loop = Open(variant);
        var rates = await MeasureRatesAsync(variant, loop, weights, exact == variant ? null : exact, cancellation);
        if (options.Engine) rates = await AddEngineAsync(variant, loop, rates, cancellation);
        return new PrecisionRow(variant.Precision, variant.Bytes, weights, probe.LoadSeconds, probe.MemoryBytes, rates);
    }

    private async Task<List<PrecisionRate>> MeasureRatesAsync(ModelVariant variant, RawLoop loop, long weights, ModelVariant? exact,
        CancellationToken cancellation)
    {
        using var own = new DecodeRates(loop, folder.Config.ContextLength);
        using var exactLoop = exact is null ? null : Open(exact);
        using var fp32 = exactLoop is null ? null : new DecodeRates(exactLoop, folder.Config.ContextLength);
        List<PrecisionRate> rates = [];
        foreach (var rows in options.Rows)
        {
            List<Func<Task<double>>> companions = [() => Task.FromResult(rows == 1 ? MeasureMemory() / weights : own.Measure(1))];
            if (fp32 is not null) companions.Add(() => Task.FromResult(fp32.Measure(rows)));
            var pair = new InterleavedRates(() => Task.FromResult(own.Measure(rows)), [.. companions]);
            await RunAsync(pair, variant, $"{rows} at once", cancellation);
            var (first, over) = (pair.Ratio(0), fp32 is null ? (double?)null : pair.Ratio(1));
            rates.Add(new PrecisionRate(rows, pair.Target, over, rows == 1 ? first : null, rows == 1 ? null : first, EngineShare: null));
        }

        return rates;
    }

    private async Task<List<PrecisionRate>> AddEngineAsync(ModelVariant variant, RawLoop loop, List<PrecisionRate> rates,
        CancellationToken cancellation)
    {
        Say(variant, "loading the engine");
        await using var engine = new EnginePair(folder, variant, loop, OnCpu, new EngineOptions(), time);
        for (var i = 0; i < rates.Count; i++)
        {
            if (!PrecisionOptions.EngineRows.Contains(rates[i].Rows)) continue;
            var pair = engine.Pair(rates[i].Rows, cancellation);
            await RunAsync(pair, variant, $"the engine, {rates[i].Rows} at once", cancellation);
            rates[i] = rates[i] with { EngineShare = pair.Ratio(0) };
        }

        return rates;
    }

    private async Task RunAsync(InterleavedRates pair, ModelVariant variant, string what, CancellationToken cancellation)
    {
        for (var round = 1; round <= options.Rounds; round++)
        {
            cancellation.ThrowIfCancellationRequested();
            Say(variant, $"{what}, round {round} of {options.Rounds}");
            await pair.RunRoundAsync();
        }
    }

    private RawLoop Open(ModelVariant variant) => new(folder.GraphPath(variant), OnCpu, folder.Names);

    private double MeasureMemory()
    {
        _bandwidths.Add(_memory.Measure());
        return _bandwidths[^1];
    }

    private void Say(ModelVariant variant, string what) => progress($"{folder.Name}, {PrecisionName.Of(variant.Precision)}: {what}");
}
