using System.CommandLine;
using R1Serverless.Building;
using R1Serverless.Generation;
using R1Serverless.Hosting;
using R1Serverless.Models;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 model evaluate</c>: how many tasks a model answers exactly.</summary>
internal static class EvaluateCommand
{
    private const int SomeAnswersFailed = 1;

    /// <param name="load">Loads the model into this process.</param>
    public static Command Create(ModelLoader load)
    {
        Argument<string> model = new("model") { Description = "The model's name in the repository, or its folder." };
        Option<FileInfo?> tasks = new("--tasks")
        {
            Description = $"""JSON lines of "family", "prompt" and "answer". [default: {ModelFolder.EvaluationFile} in the model's folder]""", HelpName = "FILE",
        };
        Option<bool> json = new("--json") { Description = "Print one JSON object instead of a table." };
        Command command = new("evaluate", "Ask a model a file of tasks, greedily, and count the exact answers.") { model, tasks, json };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(
            arguments.GetRequiredValue(model), arguments.GetValue(tasks)?.FullName, arguments.GetValue(json), load, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(string model, string? tasksPath, bool json, ModelLoader load, CancellationToken cancellation)
    {
        IReadOnlyList<EvaluationTask> tasks = await EvaluationTask.LoadAsync(tasksPath ?? FindTasks(model), cancellation);
        LoadedModels loaded = await load(new ServeOptions { Models = [model] }, new StatusLines(Console.Error), cancellation);
        try
        {
            EvaluationReport report = await AskAsync(loaded, tasks, cancellation);
            if (json) EvaluationPrinter.WriteJson(report, Console.OpenStandardOutput());
            else EvaluationPrinter.WriteTable(report, AnsiConsole.Console);
            return report.Total.Errors > 0 ? SomeAnswersFailed : 0;
        }
        finally
        {
            if (loaded.Inference is IAsyncDisposable engine) await engine.DisposeAsync();
        }
    }

    /// <summary>The bar goes to the error stream: the output is the result alone.</summary>
    private static Task<EvaluationReport> AskAsync(LoadedModels loaded, IReadOnlyList<EvaluationTask> tasks, CancellationToken cancellation)
    {
        string name = loaded.Models[0].Id;
        return AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) })
            .Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(context =>
            {
                ProgressTask bar = context.AddTask(Markup.Escape($"Asking {name}"), maxValue: tasks.Count);
                return Evaluation.RunAsync(loaded.Inference, name, tasks, TimeProvider.System, new Bar(bar), cancellation);
            });
    }

    private static string FindTasks(string model)
    {
        string?[] folders = [LocalModels.IsFolder(model) ? model : null, new ModelRepository(DataFolder.Models).Find(model)?.Path, ShippedModels.Find(model)];
        return folders.OfType<string>().Select(folder => Path.Combine(folder, ModelFolder.EvaluationFile)).FirstOrDefault(File.Exists)
            ?? throw new InvalidModelException($"{model} comes without {ModelFolder.EvaluationFile}: name a file of tasks with --tasks.");
    }

    private sealed class Bar(ProgressTask task) : IProgress<int>
    {
        public void Report(int value) => task.Value = value;
    }
}
