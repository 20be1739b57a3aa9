using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Prepared;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Engine.Evaluation;

/// <summary>
/// Measures a model's variants in one run: what each answers through the engine, how far its tokens are the reference's, and how fast the bare loop
/// decodes with it. No more than two variants are in memory at a time.
/// </summary>
public sealed class ModelEvaluation
{
    private readonly ModelFolder _folder;
    private readonly EvaluationSettings _settings;
    private readonly TimeProvider _time;
    private readonly ModelVariant[] _variants;

    /// <exception cref="InvalidModelException">The model has none of a precision that is asked for.</exception>
    public ModelEvaluation(ModelFolder folder, EvaluationSettings settings, TimeProvider time) =>
        (_folder, _settings, _time, _variants) = (folder, settings, time, VariantsOf(folder, settings));

    /// <summary>What will be measured. The first is the reference, the most exact there is, whether it was asked for or not.</summary>
    public IReadOnlyList<ModelVariant> Variants => _variants;

    /// <param name="tasks">At least one.</param>
    /// <param name="measureMemory">Gives what a fresh process grows by when it loads a variant and runs the largest batch, in bytes.</param>
    /// <param name="progress">Told how far each piece of work is; null if nobody watches.</param>
    /// <param name="cancellation">Stops the evaluation.</param>
    /// <exception cref="ModelLoadException">A variant can't be loaded or run.</exception>
    public async Task<ModelReport> RunAsync(
        IReadOnlyList<EvaluationTask> tasks,
        Func<ModelVariant, CancellationToken, Task<long>> measureMemory,
        IProgress<EvaluationProgress>? progress,
        CancellationToken cancellation)
    {
        List<EvaluationReport> answers = [];
        List<long> memory = [];
        foreach (var variant in _variants)
        {
            answers.Add(await AskAsync(variant, tasks, progress, cancellation));
            memory.Add(await measureMemory(variant, cancellation));
        }

        var agreements = Compare(tasks, progress, cancellation);
        var speed = new VariantRates(_folder, _settings, progress);
        var rates = await speed.MeasureAsync(_variants, cancellation);
        return new ModelReport(_folder.Name, speed.Device!, _time.GetUtcNow(), _settings.Tolerance, [.. _variants.Select((variant, i) =>
            new VariantReport(variant, answers[i], agreements[i], rates[i], memory[i]))]);
    }

    private async Task<EvaluationReport> AskAsync(ModelVariant variant, IReadOnlyList<EvaluationTask> tasks, IProgress<EvaluationProgress>? progress,
        CancellationToken cancellation)
    {
        await using var inference = new LocalInference([LoadedVariant.OpenAlone(_folder, variant, _settings.Runtime, new EngineOptions(), _time)]);
        var work = $"{Names(variant)}: asking";
        return await Evaluation.RunAsync(inference, _folder.Name, variant.Precision, tasks, _time, Share(progress, work, tasks.Count), cancellation);
    }

    /// <summary>One agreement per variant; the reference's own is full.</summary>
    private List<Agreement> Compare(IReadOnlyList<EvaluationTask> tasks, IProgress<EvaluationProgress>? progress, CancellationToken cancellation)
    {
        List<Agreement> agreements = [Agreement.Full];
        if (_variants.Length == 1) return agreements;
        var prompts = ComparedPrompts(tasks);
        using var reference = OpenRunner(_variants[0]);
        foreach (var variant in _variants.Skip(1))
        {
            using var other = OpenRunner(variant);
            var pair = new LockStep(reference, other, _folder.Config.ContextLength, _folder.Generation.EndTokens);
            var work = $"{Names(variant)}: comparing tokens with {Names(_variants[0])}";
            agreements.Add(pair.Compare(prompts, _settings.ComparedTokens, Share(progress, work, prompts.Count), cancellation));
        }

        return agreements;
    }

    private List<int[]> ComparedPrompts(IReadOnlyList<EvaluationTask> tasks)
    {
        var text = DecoderText.Load(_folder);
        var count = Math.Min(tasks.Count, _settings.ComparedTasks);
        return
        [
            .. Enumerable.Range(0, count)
                .Select(i => tasks[(int)((long)i * tasks.Count / count)])
                .Select(task => text.Template.Render(new Prompt.Chat([new ChatMessage(ChatRole.User, task.Prompt)])).Ids.ToArray())
                .Where(prompt => prompt.Length < _folder.Config.ContextLength),
        ];
    }

    private OrtModelRunner OpenRunner(ModelVariant variant) => VariantRunner.Open(_folder, variant, _settings.Runtime);

    /// <summary>The most exact variant, and those that are asked for.</summary>
    /// <exception cref="InvalidModelException">The model has none of a precision that is asked for.</exception>
    internal static ModelVariant[] VariantsOf(ModelFolder folder, EvaluationSettings settings)
    {
        ModelVariant[] all = [.. folder.Manifest.Variants.OrderBy(v => v.Precision)];
        foreach (var asked in settings.Precisions.Where(p => all.All(v => v.Precision != p)))
            throw new InvalidModelException($"{folder.Name} has no {PrecisionName.Of(asked)} variant; it has {Names(all)}.");
        return [.. all.Where((v, i) => i == 0 || settings.Precisions.Count == 0 || settings.Precisions.Contains(v.Precision))];
    }

    internal static string Names(params IEnumerable<ModelVariant> variants) =>
        string.Join(", ", variants.Select(v => PrecisionName.Of(v.Precision)));

    private static Relay? Share(IProgress<EvaluationProgress>? progress, string work, int total) =>
        progress is null ? null : new Relay(progress, work, total);

    private sealed class Relay(IProgress<EvaluationProgress> progress, string work, int total) : IProgress<int>
    {
        public void Report(int value) => progress.Report(new EvaluationProgress(work, value, total));
    }
}
