using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.Engine.Tensors;
using R1Serverless.ModelBuilder.Tensors;
using R1Serverless.Models.Folders;
using R1Serverless.Models.Layouts;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>Recognition of lines of text: what INT8 costs as noise rises, and what <c>auto</c> makes of that.</summary>
internal sealed class OcrBench : IAsyncDisposable
{
    private const int Calibrated = 48, Evaluated = 64, CalibrationSeed = 11, EvaluationSeed = 12, Seed = 13;

    private readonly LocalInference _inference;
    private readonly ModelFolder _folder;
    private readonly string[] _characters;
    private readonly IReadOnlyList<TextLine> _lines;

    private OcrBench(ModelFolder folder, TensorReport report, string[] characters, IReadOnlyList<TextLine> lines)
    {
        (_folder, Report, _characters, _lines) = (folder, report, characters, lines);
        _inference = new LocalInference([.. folder.Manifest.Variants.Select(variant =>
            LoadedVariant.OpenAlone(folder, variant, new RuntimeOptions(), new EngineOptions(), TimeProvider.System))]);
    }

    /// <summary>What `r1 model evaluate` measured, over lines of its own.</summary>
    public TensorReport Report { get; }

    /// <summary>Makes FP32 and INT8 of a graph, calibrated and evaluated with lines that are not asked for later.</summary>
    /// <param name="graph">[n, 3, 48, width] to probabilities [n, steps, classes]; class 0 is the blank.</param>
    /// <param name="characters">Of the classes from 1; after the last one comes a space.</param>
    /// <param name="work">Takes the model.</param>
    public static async Task<OcrBench> CreateAsync(string graph, string[] characters, string fonts, int lines, string work,
        IProgress<EvaluationProgress> progress, CancellationToken cancellation)
    {
        var target = Path.Combine(work, "ocr");
        var input = TensorInput(graph);
        var calibration = TextLines.Draw(fonts, Calibrated, CalibrationSeed).Select(line => (IReadOnlyList<Tensor>)[line.Input(input, 0, 0)]);
        TensorModelBuilder.Build(graph, target, "ocr", TimeProvider.System,
            new TensorBuildOptions { Precisions = [Precision.Fp32, Precision.Int8], Calibration = [.. calibration] }, cancellation: cancellation);
        var folder = ModelFolder.Open(target);
        var samples = TextLines.Draw(fonts, Evaluated, EvaluationSeed).Select(line => new Prompt.Tensors([line.Input(input, 0, 0)]));
        var report = await new TensorEvaluation(folder, new EvaluationSettings { Rows = [1, 8], Rounds = 3 }, TimeProvider.System)
            .RunAsync([.. samples], progress, cancellation);
        await StoredEvaluations.UpdateAsync(folder,
            now => report.Variants.Aggregate(now, (manifest, one) => manifest.WithEvaluation(one.Variant.File, one.Evaluation)), TimeProvider.System,
            cancellation);
        return new OcrBench(ModelFolder.Open(target), report, characters, TextLines.Draw(fonts, lines, Seed));
    }

    /// <summary>Reads all lines with noise of one level.</summary>
    /// <param name="sigma">Of 255.</param>
    public async Task<OcrRow> MeasureAsync(double sigma, PrecisionPreference precision, CancellationToken cancellation)
    {
        var (wrong, all, inInt8) = (0, 0, 0);
        foreach (var (i, line) in _lines.Index())
        {
            var (text, variant) = await ReadAsync(line.Input(_folder.Signature!.Inputs[0].Name, sigma, i), precision, cancellation);
            wrong += EditDistance.Of<char>(line.Text, text);
            all += line.Text.Length;
            if (variant.Precision == Precision.Int8) inInt8++;
        }

        return new OcrRow((double)wrong / all, (double)inInt8 / _lines.Count);
    }

    public ValueTask DisposeAsync() => _inference.DisposeAsync();

    private static string TensorInput(string graph) => TensorGraph.Read(graph).Inputs[0].Name;

    private async Task<(string Text, VariantChoice Variant)> ReadAsync(Tensor input, PrecisionPreference precision, CancellationToken cancellation)
    {
        InferenceRequest request = new() { Id = RequestId.New(), Model = _folder.Name, Prompt = new Prompt.Tensors([input]), Precision = precision };
        VariantChoice? choice = null;
        Tensor? output = null;
        await foreach (var one in _inference.RunAsync(request, cancellation))
        {
            if (one is InferenceEvent.Failed { Error.Message: var fault }) throw new InvalidDataException(fault);
            if (one is InferenceEvent.Admitted admitted) choice = admitted.Variant;
            if (one is InferenceEvent.Outputs outputs) output = outputs.Tensors[0];
        }

        var classes = (int)output!.Shape[2];
        var read = AnswerMeasures.Read(TensorNumbers.Of(output), classes, blank: 0);
        return (string.Concat(read.Select(one => one <= _characters.Length ? _characters[one - 1] : " ")), choice!);
    }
}

/// <summary>How lines were read.</summary>
/// <param name="ErrorRate">Edits over characters.</param>
/// <param name="Int8">The share of lines that INT8 read.</param>
internal readonly record struct OcrRow(double ErrorRate, double Int8);
