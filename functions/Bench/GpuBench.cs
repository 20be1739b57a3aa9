using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Bench;

/// <summary>Proves a device: every check is run, whatever became of the one before, and its outcome is kept at once.</summary>
/// <param name="folders">The models to prove it with, in this order.</param>
/// <param name="keep">Told the report after each check.</param>
internal sealed class GpuBench(
    GpuOptions options, IReadOnlyList<ModelFolder> folders, TimeProvider time, Action<string> progress, Action<GpuReport> keep)
{
    private readonly Machine _machine = Machine.Look();
    private readonly DateTimeOffset _began = time.GetUtcNow();
    private readonly List<GpuCheck> _checks = [];
    private readonly List<GpuSpeed> _speeds = [];
    private double _bandwidth;

    public async Task<GpuReport> RunAsync(CancellationToken cancellation)
    {
        foreach (var folder in folders)
        {
            foreach (var variant in folder.Manifest.Variants) await RunAsync(new GpuSubject(folder, variant), cancellation);
        }

        // Last, as nothing can be told of what stands after a card that was full.
        var full = folders.SelectMany(folder => folder.Manifest.Variants, (folder, variant) => new GpuSubject(folder, variant))
            .FirstOrDefault(subject => subject.Variant.Precision == Precision.Fp16);
        if (full is not null)
            await CheckAsync(GpuPart.Memory, full, OnCuda(() => new GpuAnswers(full, options, time).FillAsync(cancellation)), cancellation);
        return Report(isComplete: true);
    }

    private async Task RunAsync(GpuSubject subject, CancellationToken cancellation)
    {
        GpuAnswers answers = new(subject, options, time);
        await CheckAsync(GpuPart.Placement, subject, () => Task.FromResult<GpuFinding?>(GpuSlots.Place(subject, options)), cancellation);
        await CheckAsync(GpuPart.Answers, subject, () => answers.CompareAsync(cancellation), cancellation);
        await CheckAsync(GpuPart.Batching, subject, async () => await GpuSlots.BatchAsync(subject, options, time, cancellation), cancellation);
        await CheckAsync(GpuPart.Copies, subject, () => Task.FromResult<GpuFinding?>(GpuSlots.Copy(subject, options)), cancellation);
        await CheckAsync(GpuPart.Graphs, subject, OnCuda(() => answers.CaptureAsync(cancellation)), cancellation);
        if (subject.Variant is { Precision: Precision.Fp32, Kv: KvFormat.Auto })
            await CheckAsync(GpuPart.Tf32, subject, OnCuda(() => answers.RoundAsync(cancellation)), cancellation);
        await CheckAsync(GpuPart.Speed, subject, async () =>
        {
            if (_bandwidth == 0) _bandwidth = GpuSlots.Bandwidth(subject, options);
            var speeds = await new GpuRates(subject, options, _bandwidth, time, progress).MeasureAsync(cancellation);
            _speeds.AddRange(speeds);
            var last = speeds[^1];
            return new GpuFinding(GpuOutcome.Measured, last.Engine, "tokens/s",
                $"the engine with {last.Rows} at once; the rest is in the table of speeds");
        }, cancellation);
    }

    private Func<Task<GpuFinding?>> OnCuda(Func<Task<GpuFinding?>> check) => options.IsCuda
        ? check
        : () => Task.FromResult<GpuFinding?>(new GpuFinding(GpuOutcome.NotOnThisDevice, null, null, "only CUDA has it"));

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

        if (found is var (outcome, figure, unit, reason))
            _checks.Add(new GpuCheck(part, subject.Folder.Name, subject.Name, outcome, figure, unit, reason));
        keep(Report(isComplete: false));
    }

    private GpuReport Report(bool isComplete) => new(
        options.Device, [.. _machine.Devices.Select(device => $"{device.Provider}: {device.Kind} {device.Vendor} {device.Name}".TrimEnd())],
        _machine.RuntimeVersion, _machine.Processor, _machine.Cores, _began, (time.GetUtcNow() - _began).TotalSeconds, _bandwidth, isComplete,
        [.. _checks], [.. _speeds]);
}

/// <summary>What a check found.</summary>
internal sealed record GpuFinding(GpuOutcome Outcome, double? Figure, string? Unit, string Reason)
{
    public static GpuFinding Of(bool isPassed, double figure, string unit, string reason) =>
        new(isPassed ? GpuOutcome.Passed : GpuOutcome.Failed, figure, unit, reason);
}
