using R1Serverless.Building;
using R1Serverless.Models;
using R1Serverless.Requests;
using R1Serverless.Runtime;

namespace R1Serverless.Bench;

/// <summary>Proves a device: every check is run, whatever became of the one before, and its outcome is kept at once.</summary>
/// <param name="repository">Where the models are, or are built.</param>
/// <param name="keep">Told the report after each check.</param>
internal sealed class GpuBench(GpuOptions options, ModelRepository repository, TimeProvider time, Action<string> progress, Action<GpuReport> keep)
{
    /// <summary>The only precision for which the CUDA provider has attention over keys and values in 8 bits (as its library's symbols tell).</summary>
    private static readonly Precision[] WithInt8Kv = [Precision.Fp16];

    private readonly Machine _machine = Machine.Look();
    private readonly DateTimeOffset _began = time.GetUtcNow();
    private readonly List<GpuCheck> _checks = [];
    private readonly List<GpuSpeed> _speeds = [];
    private double _bandwidth;

    public async Task<GpuReport> RunAsync(CancellationToken cancellation)
    {
        foreach (var name in options.Models)
        {
            progress($"building {name}");
            var plain = await BenchModels.FindAsync(name, repository, Enum.GetValues<Precision>(), cancellation);
            var small = await BenchModels.FindAsync(name, repository, WithInt8Kv, cancellation, KvFormat.Int8);
            GpuSubject[] subjects = [.. plain.Manifest.Variants.Select(variant => new GpuSubject(plain, variant)), .. small.Manifest.Variants.Select(variant => new GpuSubject(small, variant))];
            foreach (var subject in subjects) await RunAsync(subject, cancellation);
            await RunAsync(plain, cancellation);
        }

        return Report(isComplete: true);
    }

    private async Task RunAsync(GpuSubject subject, CancellationToken cancellation)
    {
        await CheckAsync(GpuPart.Placement, subject, () => Task.FromResult<GpuFinding?>(GpuSlots.Place(subject, options)), cancellation);
        await CheckAsync(GpuPart.Answers, subject, async () => await new GpuAnswers(subject, options, time).CompareAsync(cancellation), cancellation);
        await CheckAsync(GpuPart.Batching, subject, async () => await GpuSlots.BatchAsync(subject, options, time, cancellation), cancellation);
        await CheckAsync(GpuPart.Copies, subject, () => Task.FromResult<GpuFinding?>(GpuSlots.Copy(subject, options)), cancellation);
        await CheckAsync(GpuPart.Graphs, subject, OnCuda(async () => await new GpuAnswers(subject, options, time).CaptureAsync(cancellation)), cancellation);
        if (subject.Variant is { Precision: Precision.Fp32, Kv: KvFormat.Auto })
            await CheckAsync(GpuPart.Tf32, subject, OnCuda(async () => await new GpuAnswers(subject, options, time).RoundAsync(cancellation)), cancellation);
        await CheckAsync(GpuPart.Speed, subject, async () =>
        {
            if (_bandwidth == 0) _bandwidth = GpuSlots.Bandwidth(subject, options);
            var speeds = await new GpuRates(subject, options, _bandwidth, time, progress).MeasureAsync(cancellation);
            _speeds.AddRange(speeds);
            return new GpuFinding(GpuOutcome.Measured, speeds[^1].Engine, "tokens/s", $"the engine with {speeds[^1].Rows} at once; the rest is in the table of speeds");
        }, cancellation);
    }

    private async Task RunAsync(ModelFolder folder, CancellationToken cancellation)
    {
        GpuSubject subject = new(folder, folder.Manifest.Variants.First(variant => variant.Precision == Precision.Fp16));
        await CheckAsync(GpuPart.Start, subject, async () => await GpuServer.StartAsync(subject, options, time, cancellation), cancellation);
        if (folder.Name != ShippedModels.Nano) return;
        await CheckAsync(GpuPart.HotSwap, subject, async () => await GpuServer.SwapAsync(folder, options, time, progress, cancellation), cancellation);
        // Last, as nothing can be told of what stands after a card that was full.
        await CheckAsync(GpuPart.Memory, subject, OnCuda(async () => await new GpuAnswers(subject, options, time).FillAsync(cancellation)), cancellation);
    }

    private Func<Task<GpuFinding?>> OnCuda(Func<Task<GpuFinding?>> check) => options.IsCuda ? check : () => Task.FromResult<GpuFinding?>(new GpuFinding(GpuOutcome.NotOnThisDevice, null, null, "only CUDA has it"));

    /// <param name="check">Gives null where the model has nothing to check it with.</param>
    private async Task CheckAsync(GpuPart part, GpuSubject subject, Func<Task<GpuFinding?>> check, CancellationToken cancellation)
    {
        if (!options.Parts.Contains(part)) return;
        progress($"{subject.Folder.Name} {subject.Name}: {part}");
        GpuFinding? found;
        try
        {
            found = await check();
        }
        catch (Exception fault) when (!cancellation.IsCancellationRequested)
        {
            // Whatever it is, it is this check's outcome, and the others are run.
            found = new GpuFinding(GpuOutcome.Failed, null, null, $"{fault.GetType().Name}: {fault.Message}");
        }

        if (found is not null) _checks.Add(new GpuCheck(part, subject.Folder.Name, subject.Name, found.Outcome, found.Figure, found.Unit, found.Reason));
        keep(Report(isComplete: false));
    }

    private GpuReport Report(bool isComplete) => new(
        options.Device, [.. _machine.Devices.Select(device => $"{device.Provider}: {device.Kind} {device.Vendor} {device.Name}".TrimEnd())], _machine.RuntimeVersion, _machine.Processor, _machine.Cores,
        _began, (time.GetUtcNow() - _began).TotalSeconds, _bandwidth, isComplete, [.. _checks], [.. _speeds]);
}

/// <summary>What a check found.</summary>
internal sealed record GpuFinding(GpuOutcome Outcome, double? Figure, string? Unit, string Reason)
{
    public static GpuFinding Of(bool isPassed, double figure, string unit, string reason) => new(isPassed ? GpuOutcome.Passed : GpuOutcome.Failed, figure, unit, reason);
}
