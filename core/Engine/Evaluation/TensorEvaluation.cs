using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.Engine.Tensors;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Engine.Evaluation;

/// <summary>
/// Measures the variants of a model over tensors in one run: how far the answers of each are the most exact variant's, also as its inputs get
/// noisier, and how fast it answers. No more than two variants are in memory at a time.
/// </summary>
public sealed class TensorEvaluation
{
    /// <summary>The noise that is added, over an input's own deviation: 0.1 is σ 6 of 255 in a usual photograph.</summary>
    private static readonly double[] Levels = [0, 0.05, 0.1, 0.2, 0.4, 0.8];

    private static readonly TimeSpan MeasuredFor = TimeSpan.FromSeconds(0.25);

    private readonly ModelFolder _folder;
    private readonly EvaluationSettings _settings;
    private readonly TimeProvider _time;
    private readonly ModelVariant[] _variants;

    /// <summary>Where each sample is from, in words for an error; empty where nobody knows.</summary>
    public IReadOnlyList<string> Places { get; init; } = [];

    /// <exception cref="InvalidModelException">The model has none of a precision that is asked for.</exception>
    public TensorEvaluation(ModelFolder folder, EvaluationSettings settings, TimeProvider time) =>
        (_folder, _settings, _time, _variants) = (folder, settings, time, ModelEvaluation.VariantsOf(folder, settings));

    /// <param name="samples">At least one request, each <see cref="Prompt.Tensors"/> or <see cref="Prompt.Texts"/>, of texts or of one image
    /// each.</param>
    /// <param name="progress">Told how far each piece of work is; null if nobody watches.</param>
    /// <param name="cancellation">Stops the evaluation.</param>
    /// <exception cref="ModelLoadException">A variant can't be loaded.</exception>
    /// <exception cref="InvalidDataException">A sample is no request that the model takes.</exception>
    public async Task<TensorReport> RunAsync(IReadOnlyList<Prompt> samples, IProgress<EvaluationProgress>? progress, CancellationToken cancellation)
    {
        List<(ModelVariant, VariantEvaluation)> measured = [];
        samples = await SampleInputs.ReadAsync(_folder, samples, Places, cancellation);
        var exact = Open(_variants[0]);
        await using var first = exact;
        var measure = await MeasureAsync(exact, samples[0], cancellation);
        var levels = samples.Any(IsNoisy) ? Levels : [0];
        var sigmas = levels.Length == 1 ? [] : levels.Select(level => Sigma(samples, level)).ToArray();
        var done = 0;
        var total = samples.Count * levels.Length * (_variants.Length - 1);
        Dictionary<int, double>? rates = null;
        foreach (var variant in _variants.Skip(1))
        {
            var other = Open(variant);
            await using var second = other;
            List<(double Agreement, double Drop)> found = [];
            foreach (var level in levels)
            {
                AnswerLoss loss = new(measure);
                for (var i = 0; i < samples.Count; i++)
                {
                    var sample = Noisy(samples[i], level, i);
                    loss.Add(await AnswerAsync(exact, sample, i, cancellation), await AnswerAsync(other, sample, i, cancellation));
                    progress?.Report(new EvaluationProgress("comparing answers", ++done, total));
                }

                found.Add((loss.Agreement, 100 * loss.Mean));
            }

            var (own, reference) = await RatesAsync(other, exact, samples, progress, cancellation);
            rates ??= reference;
            measured.Add((variant, Of(other, samples.Count, found, sigmas, own)));
        }

        rates ??= (await RatesAsync(exact, exact, samples, progress, cancellation)).Own;
        measured.Insert(0, (_variants[0], Of(exact, samples.Count, [.. levels.Select(_ => (1.0, 0.0))], sigmas, rates)));
        return new TensorReport(_folder.Name, samples.Count, measure, measured);
    }

    private static bool IsNoisy(Prompt sample) => sample is Prompt.Tensors { Inputs: var inputs } && inputs.Any(InputNoise.IsMeasured);

    private static Prompt Noisy(Prompt sample, double level, int seed) =>
        level > 0 && sample is Prompt.Tensors tensors ? tensors with { Inputs = AddedNoise.To(tensors.Inputs, level, seed) } : sample;

    /// <summary>As a server will estimate it: what the samples have of themselves counts too.</summary>
    private static double Sigma(IReadOnlyList<Prompt> samples, double level) => samples.Select((sample, i) => Noisy(sample, level, i))
        .OfType<Prompt.Tensors>().Average(sample => InputNoise.Of(sample.Inputs) ?? 0);

    private LocalInference Open(ModelVariant variant) =>
        new([LoadedVariant.OpenAlone(_folder, variant, _settings.Runtime, new EngineOptions(), _time)]);

    private VariantEvaluation Of(LocalInference inference, int samples, IReadOnlyList<(double Agreement, double Drop)> found,
        IReadOnlyList<double> sigmas, IReadOnlyDictionary<int, double> rates) => new()
        {
            Device = inference.Variants[0].Provider.Name,
            Measured = _time.GetUtcNow(),
            Tasks = samples,
            Accuracy = found[0].Agreement,
            AccuracyDrop = found[0].Drop,
            TokenAgreement = found[0].Agreement,
            KlDivergence = 0,
            Tolerance = _settings.Tolerance,
            TokensPerSecond = rates,
            MemoryBytes = 0,
            Noise = Rising(sigmas, found),
        };

    /// <summary>Where the samples' own details hide what was added, there is nothing to tell levels apart by.</summary>
    private static List<NoisePoint> Rising(IReadOnlyList<double> sigmas, IReadOnlyList<(double Agreement, double Drop)> found)
    {
        List<NoisePoint> points = [];
        for (var i = 0; i < sigmas.Count; i++)
        {
            if (points is not [.., var last] || sigmas[i] > last.Sigma) points.Add(new NoisePoint(sigmas[i], found[i].Drop, found[i].Agreement));
        }

        return points;
    }

    private async Task<AnswerMeasure> MeasureAsync(LocalInference inference, Prompt sample, CancellationToken cancellation)
    {
        var task = _folder.Encoder is { } encoder && sample is Prompt.Texts ? encoder.Task : _folder.Images?.Output?.Task;
        return task is { } known ? known == TextTask.Classify ? AnswerMeasure.Label : AnswerMeasure.Direction
            : AnswerMeasures.Of(await AnswerAsync(inference, sample, 0, cancellation), IsNoisy(sample));
    }

    private async Task<IReadOnlyList<Tensor>> AnswerAsync(LocalInference inference, Prompt sample, int number, CancellationToken cancellation)
    {
        InferenceRequest request = new()
        {
            Id = RequestId.New(), Model = _folder.Name, Prompt = sample, Sampling = new SamplingOptions(),
            Precision = new PrecisionPreference(inference.Variants[0].Variant.Precision),
        };
        IReadOnlyList<Tensor>? outputs = null;
        await foreach (var inferenceEvent in inference.RunAsync(request, cancellation))
        {
            if (inferenceEvent is InferenceEvent.Failed { Error: var error })
                throw new InvalidDataException($"{SampleInputs.Place(Places, number)} was refused: {error.Message}");
            if (inferenceEvent is InferenceEvent.Outputs given) outputs = given.Tensors;
        }

        return outputs ?? throw new InvalidOperationException("The events ended without outputs.");
    }

    /// <summary>Requests per second by requests at once, of both in turn; another variant's are the reference's times their ratio.</summary>
    private async Task<(Dictionary<int, double> Own, Dictionary<int, double> Reference)> RatesAsync(LocalInference other, LocalInference exact,
        IReadOnlyList<Prompt> samples, IProgress<EvaluationProgress>? progress, CancellationToken cancellation)
    {
        Dictionary<int, double> own = [], reference = [];
        var work = $"{ModelEvaluation.Names(other.Variants[0].Variant)}: measuring speed";
        var done = 0;
        foreach (var atOnce in _settings.Rows)
        {
            InterleavedRates pair = new(() => RateAsync(other, atOnce), () => RateAsync(exact, atOnce));
            for (var round = 0; round < _settings.Rounds; round++)
            {
                await pair.RunRoundAsync();
                progress?.Report(new EvaluationProgress(work, ++done, _settings.Rounds * _settings.Rows.Count));
            }

            reference[atOnce] = pair.Companion(0);
            own[atOnce] = other == exact ? pair.Target : pair.Ratio(0) * pair.Companion(0);
        }

        return (own, reference);

        async Task<double> RateAsync(LocalInference inference, int atOnce)
        {
            var began = _time.GetTimestamp();
            var count = 0;
            do
            {
                var next = count;
                await Task.WhenAll(Enumerable.Range(next, atOnce)
                    .Select(i => AnswerAsync(inference, samples[i % samples.Count], i % samples.Count, cancellation)));
                count += atOnce;
            }
            while (_time.GetElapsedTime(began) < MeasuredFor);
            return count / _time.GetElapsedTime(began).TotalSeconds;
        }
    }
}
