using System.CommandLine;
using R1Serverless.Abstractions;
using R1Serverless.Api;
using R1Serverless.Bench;
using R1Serverless.Engine.Evaluation;
using R1Serverless.ModelLoading;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 model evaluate</c>: how exact and how fast each variant of a model is; the result is kept with the model, and requests are served
/// by it.</summary>
internal static class EvaluateCommand
{
    private const int SomeAnswersFailed = 1;

    private static readonly Argument<string> Model = new("model") { Description = "The model's name in the repository, or its folder." };

    private static readonly Option<FileInfo?> Tasks = new("--tasks")
    {
        Description = $"""JSON lines of "family", "prompt" and "answer". [default: {ModelFiles.EvaluationFile} in the model's folder]"""
            + " Of a model over tensors: bodies of /v2/models/MODEL/infer, \"text\" for an encoder, or a folder of pictures; images "
            + "and series are also tried with noise.",
        HelpName = "FILE",
    };

    private static readonly Option<string[]> Precisions = new("--precision")
    {
        Description =
            "Variants to measure, with commas between them; the most exact one is always measured, the others are compared to it. [default: all]",
        HelpName = "fp32,fp16,int8,int4",
    };

    private static readonly Option<double> Tolerance = NumberOption.Bound(new Option<double>("--tolerance")
    {
        Description = "How many points of percent of accuracy a variant may lose; one that loses more is marked, and `auto` never takes it.",
        HelpName = "POINTS", DefaultValueFactory = _ => PrecisionPreference.DefaultAccuracyDrop,
    }, 0, 100);

    private static readonly Option<int> Rounds =
        NumberOption.Create("--rounds", 5, 1, 1000, "How often each speed is measured, in turn with the reference's; medians count.");

    public static Command Create()
    {
        Command command = new(
            "evaluate",
            "Measure every variant of a model: exact answers to a file of tasks, agreement with FP32, speed, size and memory. The model's manifest "
            + "keeps the result.")
        {
            Model, Tasks, Precisions, Tolerance, Rounds, CommonOptions.Json, CommonOptions.Data,
        };
        DeviceOption.AddTo(command);
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        // First: a device that can't be had is told before anything is built for it.
        var runtime = DeviceOption.ReadAndTell(arguments);
        var tasksPath = arguments.GetValue(Tasks)?.FullName;
        if (tasksPath is not null && !Path.Exists(tasksPath)) throw new FileNotFoundException($"{tasksPath} does not exist.");
        var folder = Find(arguments.GetRequiredValue(Model), arguments.GetValue(CommonOptions.Data), cancellation);
        EvaluationSettings settings = new()
        {
            Precisions = CommonOptions.ParsePrecisions(arguments.GetValue(Precisions)), Tolerance = arguments.GetValue(Tolerance),
            Rounds = arguments.GetValue(Rounds),
            Runtime = runtime,
        };
        var isJson = arguments.GetValue(CommonOptions.Json);
        var path = tasksPath ?? FindTasks(folder);
        if (folder.Manifest.Kind == ModelKind.Tensors) return await RunTensorsAsync(folder, settings, path, isJson, cancellation);
        var tasks = await EvaluationTask.LoadAsync(path, cancellation);
        var report = await MeasureAsync(new ModelEvaluation(folder, settings, TimeProvider.System), folder, settings, tasks, cancellation);
        if (isJson) JsonAnswers.WriteIndented(Console.OpenStandardOutput(), EvaluationJson.Of(report));
        else EvaluationPrinter.WriteTable(report, TableConsole.Create(isJson: false));
        (isJson ? Console.Error : Console.Out).WriteLine(await EvaluationRecord.KeepAsync(folder, report, TimeProvider.System, cancellation));
        return report.Variants.Any(v => v.Answers.Total.Errors > 0) ? SomeAnswersFailed : 0;
    }

    private static async Task<int> RunTensorsAsync(ModelFolder folder, EvaluationSettings settings, string path, bool isJson,
        CancellationToken cancellation)
    {
        List<string> places = [];
        var samples = await TensorSamples.LoadAsync(path, folder, places, cancellation);
        TensorEvaluation evaluation = new(folder, settings, TimeProvider.System) { Places = places };
        var report = await WatchAsync(bars => evaluation.RunAsync(samples, bars, cancellation));
        if (isJson) JsonAnswers.WriteIndented(Console.OpenStandardOutput(), TensorEvaluationPrinter.Json(report));
        else TensorEvaluationPrinter.WriteTable(report, TableConsole.Create(isJson: false));
        (isJson ? Console.Error : Console.Out).WriteLine(
            await EvaluationRecord.KeepAsync(folder, report.Variants, TimeProvider.System, cancellation));
        return 0;
    }

    private static Task<ModelReport> MeasureAsync(
        ModelEvaluation evaluation, ModelFolder folder, EvaluationSettings settings, IReadOnlyList<EvaluationTask> tasks,
        CancellationToken cancellation) =>
        WatchAsync(bars => evaluation.RunAsync(
            tasks,
            async (variant,
            stop) => (await VariantProbe.RunChildAsync(folder, variant, settings.Rows.Max(), settings.Runtime.Device, stop)).MemoryBytes,
            bars,
            cancellation));

    /// <summary>The bars go to the error stream: the output is the result alone.</summary>
    private static Task<T> WatchAsync<T>(Func<IProgress<EvaluationProgress>, Task<T>> work) =>
        TableConsole.Create(isJson: true)
            .Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(context => work(new Bars(context)));

    private static ModelFolder Find(string model, string? data, CancellationToken cancellation)
    {
        var options = new ServeOptions { Models = [model], DataFolder = data };
        return LocalModels.Folders(options, new StatusLines(Console.Error), cancellation).Single();
    }

    private static string FindTasks(ModelFolder folder)
    {
        var path = Path.Combine(folder.Path, ModelFiles.EvaluationFile);
        return File.Exists(path) ? path : throw new InvalidModelException(
            $"{folder.Name} comes without {ModelFiles.EvaluationFile}: name a file of tasks with --tasks, or measure only speed with `r1 bench`.");
    }

    /// <summary>One bar per piece of work, in the order in which they begin. Answers are reported from several threads.</summary>
    private sealed class Bars(ProgressContext context) : IProgress<EvaluationProgress>
    {
        private readonly Dictionary<string, ProgressTask> _bars = new(StringComparer.Ordinal);

        public void Report(EvaluationProgress value)
        {
            lock (_bars)
            {
                if (!_bars.TryGetValue(value.Work, out var bar))
                    _bars.Add(value.Work, bar = context.AddTask(Markup.Escape(value.Work), maxValue: value.Total));
                bar.Value = Math.Max(bar.Value, value.Done);
            }
        }
    }
}
