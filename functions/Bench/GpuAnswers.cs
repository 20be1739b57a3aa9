using System.Diagnostics.Metrics;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Telemetry;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;

namespace R1Serverless.Bench;

/// <summary>Checks that ask a variant the problems that its model brings.</summary>
internal sealed class GpuAnswers(GpuSubject subject, GpuOptions options, TimeProvider time)
{
    private static readonly RuntimeOptions OnCpu = new() { Device = DeviceKind.Cpu };

    /// <summary>The device's answers beside the processor's; null for a model without problems.</summary>
    public async Task<GpuFinding?> CompareAsync(CancellationToken cancellation)
    {
        if (await LoadAsync(cancellation) is not { } tasks) return null;
        var (expected, found) = (await AskAsync(OnCpu, tasks, cancellation), await AskAsync(options.Runtime, tasks, cancellation));
        return Equal(expected, found, "the processor's");
    }

    /// <summary>How many were asked one by one, and how many answers differ from those that were given 64 at once; null for a model without
    /// problems.</summary>
    public async Task<(int Asked, int Different)?> AskAloneAsync(int count, CancellationToken cancellation)
    {
        if (await LoadAsync(cancellation) is not { } all) return null;
        await using var engine = Open(options.Runtime);
        var together = await AskAsync(engine, all, cancellation);
        var (asked, different) = (Math.Min(count, all.Count), 0);
        for (var i = 0; i < asked; i++)
        {
            if ((await AskAsync(engine, [all[i]], cancellation)).Answers[0].Text != together.Answers[i].Text) different++;
        }

        return (asked, different);
    }

    /// <summary>The same with decode steps as CUDA graphs.</summary>
    public Task<GpuFinding?> CaptureAsync(CancellationToken cancellation) =>
        WithAsync(options.Runtime.Cuda with { CaptureSteps = true }, mayDiffer: false, cancellation);

    /// <summary>The same with products of rounded float32.</summary>
    public Task<GpuFinding?> RoundAsync(CancellationToken cancellation) =>
        WithAsync(options.Runtime.Cuda with { UseTf32 = true }, mayDiffer: true, cancellation);

    /// <summary>Requests while another session has taken all there is, and after it has given it back.</summary>
    public async Task<GpuFinding?> FillAsync(CancellationToken cancellation)
    {
        if (await LoadAsync(cancellation) is not { } tasks) return null;
        // Without dummy runs, so that it has no memory in reserve.
        await using var engine = Open(options.Runtime, warmsUp: false);
        var expected = await AskAsync(engine, [.. tasks.Take(1)], cancellation);
        EvaluationReport full;
        long bytes, events = 0;
        string? refusal;
        using (MeterListener listener = new())
        using (DeviceMemory ballast = new(subject.Folder.GraphPath(subject.Variant), options.Runtime))
        {
            listener.InstrumentPublished = (instrument, self) =>
            {
                if (instrument is { Meter.Name: Instruments.MeterName, Name: "oom_error" }) self.EnableMeasurementEvents(instrument);
            };
            listener.SetMeasurementEventCallback<long>((_, value, _, _) => Interlocked.Add(ref events, value));
            listener.Start();
            (refusal, bytes) = (ballast.Fill(), ballast.Bytes);
            full = await AskAsync(engine, tasks, cancellation);
        }

        var after = await AskAsync(engine, tasks, cancellation);
        var (unknown, wrong) =
            (full.Answers.Count(answer => answer.Error is { } error && !error.Message.Contains("memory", StringComparison.OrdinalIgnoreCase)),
                after.Total.Errors);
        return GpuFinding.Of(
            refusal is not null && events > 0 && unknown == 0 && wrong == 0 && after.Answers[0].Text == expected.Answers[0].Text, bytes, "bytes",
            $"filled up until '{refusal}'; then {events} steps ran out of memory and were rolled back, {full.Total.Errors} of "
            + $"{tasks.Count} requests failed, {unknown} of them not for the memory; after it {wrong} failed");
    }

    private async Task<GpuFinding?> WithAsync(CudaOptions cuda, bool mayDiffer, CancellationToken cancellation)
    {
        if (await LoadAsync(cancellation) is not { } tasks) return null;
        var (without, with) = (await AskAsync(options.Runtime, tasks, cancellation),
            await AskAsync(options.Runtime with { Cuda = cuda }, tasks, cancellation));
        var (compared, faster) = (Equal(without, with, "those without"), with.TokensPerSecond / without.TokensPerSecond);
        var isPassed = mayDiffer ? (without.Total.Accuracy - with.Total.Accuracy) * 100 <= PrecisionPreference.DefaultAccuracyDrop
            : compared.Outcome == GpuOutcome.Passed;
        return GpuFinding.Of(isPassed, faster, "× without", compared.Reason);
    }

    private static GpuFinding Equal(EvaluationReport expected, EvaluationReport found, string whose)
    {
        (EvaluatedAnswer Expected, EvaluatedAnswer Found)[] other =
            [.. expected.Answers.Zip(found.Answers).Where(pair => pair.First.Text != pair.Second.Text || pair.Second.Error is not null)];
        var first = other.Length == 0 ? ""
            : $"; first: {other[0].Expected.Task.Prompt} '{other[0].Expected.Text}', but '{other[0].Found.Error?.Message ?? other[0].Found.Text}'";
        return GpuFinding.Of(
            other.Length == 0, found.Answers.Count - other.Length, "answers",
            $"{found.Answers.Count - other.Length} of {found.Answers.Count} are {whose}; {found.Total.Right} are right, of "
            + $"{whose} {expected.Total.Right}{first}");
    }

    private async Task<IReadOnlyList<EvaluationTask>?> LoadAsync(CancellationToken cancellation)
    {
        var path = Path.Combine(subject.Folder.Path, ModelFiles.EvaluationFile);
        if (!File.Exists(path)) return null;
        var all = await EvaluationTask.LoadAsync(path, cancellation);
        // From all families.
        return options.Tasks >= all.Count ? all
            : [.. Enumerable.Range(0, options.Tasks).Select(i => all[(int)((long)i * all.Count / options.Tasks)])];
    }

    private async Task<EvaluationReport> AskAsync(RuntimeOptions runtime, IReadOnlyList<EvaluationTask> tasks, CancellationToken cancellation)
    {
        await using var engine = Open(runtime);
        return await AskAsync(engine, tasks, cancellation);
    }

    private Task<EvaluationReport> AskAsync(LocalInference engine, IReadOnlyList<EvaluationTask> tasks, CancellationToken cancellation) =>
        Evaluation.RunAsync(engine, subject.Folder.Name, subject.Variant.Precision, tasks, time, progress: null, cancellation);

    private LocalInference Open(RuntimeOptions runtime, bool warmsUp = true) =>
        new([LoadedVariant.OpenAlone(subject.Folder, subject.Variant, runtime, new EngineOptions { WarmsUp = warmsUp }, time)]);
}
