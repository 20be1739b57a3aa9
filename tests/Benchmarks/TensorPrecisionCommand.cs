using System.CommandLine;
using System.Globalization;
using R1Serverless.Abstractions;
using R1Serverless.Commands;
using R1Serverless.ModelBuilder.Tensors;
using R1Serverless.Tests.ModelBuilder.Tensors;
using Spectre.Console;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>Precisions of networks that are no decoders, side by side on this machine.</summary>
internal static class TensorPrecisionCommand
{
    private const int Tokens = 16;

    private static readonly int[] Batches = [1, 8];

    private static readonly Precision[] Precisions = [Precision.Fp32, Precision.Fp16, Precision.Int8];

    private static readonly Option<int> Rounds =
        NumberOption.Bound(
        new Option<int>("--rounds")
        {
            Description = "How often each is timed, in turn with the others; medians are printed.", HelpName = "N",
            DefaultValueFactory = _ => 25
        }, 1, 1000);

    public static Command Create()
    {
        Command command = new("tensors-int8",
            "Compare FP32, FP16 and INT8 of MiniLM-L6 (16 tokens a text) and ResNet18 (224 by 224): milliseconds, and how many times FP32's speed.")
        {
            Rounds,
        };
        command.SetAction((arguments, cancellation) =>
            PlainErrors.CatchAsync(() => Task.FromResult(Run(arguments.GetValue(Rounds), cancellation))));
        return command;
    }

    private static int Run(int rounds, CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("r1-tensors-").FullName;
        try
        {
            Table table = new();
            table.AddColumn("model");
            foreach (var column in new[] { "batch", "FP32", "FP16", "INT8" }) table.AddColumn(new TableColumn(column).RightAligned());
            PackagedModels.ExtractMiniLm(folder);
            Measure(table, Path.Combine(folder, "model.onnx"), Path.Combine(folder, "minilm"), [], Texts, rounds, cancellation);
            var calibration = Enumerable.Range(0, 24).Select(i => Pictures(100 + i, 1)).ToList();
            Measure(table, PackagedModels.ResNet18, Path.Combine(folder, "resnet18"), calibration, batch => Pictures(0, batch), rounds, cancellation);
            TableConsole.Create(isJson: false).Write(table);
            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Measure(Table table, string source, string target, IReadOnlyList<IReadOnlyList<Tensor>> calibration,
        Func<int, IReadOnlyList<Tensor>> inputs, int rounds, CancellationToken cancellation)
    {
        var options = new TensorBuildOptions { Precisions = Precisions, Calibration = calibration };
        var built = TensorModelBuilder.Build(source, target, Path.GetFileName(target), TimeProvider.System, options, progress: null, cancellation);
        List<TensorRunner> runners = [.. built.Manifest.Variants.Select(variant => new TensorRunner(Path.Combine(target, variant.File)))];
        try
        {
            foreach (var batch in Batches)
            {
                cancellation.ThrowIfCancellationRequested();
                var medians = Agreement.Medians(runners, inputs(batch), rounds);
                table.AddRow([built.Manifest.Name, $"{batch}", .. medians.Select(median => Cell(median, medians[0] / median))]);
            }
        }
        finally
        {
            foreach (var runner in runners) runner.Dispose();
        }
    }

    private static string Cell(double milliseconds, double ratio) =>
        string.Create(CultureInfo.InvariantCulture, $"{milliseconds:N1} ms, {ratio:N2} ×");

    private static IReadOnlyList<Tensor> Texts(int batch) =>
        PackagedModels.Tokens(
            [.. Enumerable.Range(0, batch).Select(row => Enumerable.Range(0, Tokens).Select(i => 1000L + (row * 97) + (i * 31)).ToArray())]);

    private static IReadOnlyList<Tensor> Pictures(int kind, int batch) =>
        [SyntheticImages.Batch(PackagedModels.Picture, [.. Enumerable.Range(0, batch).Select(i => SyntheticImages.Draw(kind + i, i))])];
}
