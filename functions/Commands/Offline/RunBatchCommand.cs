using System.CommandLine;
using System.Globalization;
using R1Serverless.Abstractions;
using R1Serverless.Api.Dispatch;
using R1Serverless.Api.OpenAI;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelLoading;
using R1Serverless.Queues.Batches;
using R1Serverless.Serving;

namespace R1Serverless.Commands.Offline;

/// <summary><c>r1 run-batch</c>: a file of requests into a file of answers, without a server.</summary>
internal static class RunBatchCommand
{
    private const int InvalidInput = 1, SomeFailed = 3, MaxFaultsShown = 20, WaitingAtMost = 1_000_000;

    private static readonly Option<FileInfo> Input = new("--input", "-i")
    {
        Description = "The requests, one JSON object a line, as OpenAI's Batch API takes them:\n"
            + """{"custom_id":"a","method":"POST","url":"/v1/chat/completions","""
            + "\"body\":{\"model\":\"r1-nano\",\"messages\":[{\"role\":\"user\",\"content\":\"What is 12 + 30?\"}]}}",
        HelpName = "FILE", Required = true,
    };

    private static readonly Option<FileInfo> Output = new("--output", "-o")
    {
        Description = "The answers, one line each, in the order of the input. Requests that fail go to a second file, NAME.errors.jsonl beside it. "
            + "What is done is kept in FILE.part until all is.",
        HelpName = "FILE", Required = true,
    };

    private static readonly Option<string[]> Models = new("--model")
    {
        Description = "A model's name in the repository, or its folder; may be given several times. Requests for others fail. [default: r1-nano, "
            + "which comes with r1]",
    };

    private static readonly Option<string?> Precision =
        CommonOptions.Precision("The precision for requests that name none; auto lets the measurements choose.");

    private static readonly Option<int> BatchSize = NumberOption.Create("--batch-size", 64, 1, 1024,
        "Requests that run at once. More are faster until the memory for keys and values is full.");

    /// <param name="load">Loads the models.</param>
    public static Command Create(ModelLoader load)
    {
        Command command = new(
            "run-batch",
            """
            Run a file of requests on the models of this machine, without a server.

            Stopped by Ctrl-C or killed, the same command goes on where it was: a request that has ended is not run again.
            One whose line was changed meanwhile is.
            The exit code is 0 if every request was answered, 3 if some failed (the others are answered),
            1 if the input or a model is not valid (nothing is run then), 130 if it was stopped.
            """)
        {
            Input, Output, Models, Precision, BatchSize, CommonOptions.Data,
        };
        DeviceOption.AddTo(command);
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, load, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, ModelLoader load, CancellationToken cancellation)
    {
        var input = arguments.GetRequiredValue(Input);
        var output = arguments.GetRequiredValue(Output).FullName;
        var precision = arguments.GetRequiredValue(Precision)!;
        if (input.FullName == output) throw new InvalidDataException("--output must be another file than --input.");
        BatchLimits limits = new() { Lines = int.MaxValue };
        OpenAiBatches api = new(PrecisionName.Find(precision), TimeProvider.System);

        InputValidation check;
        await using (LineReader reader = new(input.OpenRead(), limits.LineBytes)) check =
            await InputValidation.RunAsync(reader, api, endpoint: null, limits, cancellation);
        if (check.Faults.Count > 0) return await RefuseAsync(input, check);

        var models = arguments.GetValue(Models) is { Length: > 0 } named ? named : [ShippedModels.Nano];
        using var journal =
            await BatchJournal.OpenAsync(output + ".part", $"r1 run-batch 1, models {string.Join(", ", models)}, precision {precision}",
                cancellation);
        ServeOptions options = new()
        {
            Models = models, Precision = PrecisionName.Find(precision), DataFolder = arguments.GetValue(CommonOptions.Data),
            Runtime = DeviceOption.Read(arguments), MaxWaiting = WaitingAtMost,
        };
        if (journal.Count > 0)
            await Console.Error.WriteLineAsync(
                string.Create(CultureInfo.InvariantCulture, $"{journal.Count:N0} of {check.Lines:N0} requests are done already."));
        var loaded = await load(options, new StatusLines(Console.Error), cancellation);
        try
        {
            OfflineBatch batch =
                new(input, journal, api, new DeadlineInference(loaded.Inference, TimeProvider.System), arguments.GetValue(BatchSize), limits,
                    (line, fault) => Console.Error.WriteLine($"{input.Name}, {line.CustomId}: {fault}"));
            await RunAsync(batch, check.Lines, output, cancellation);
            return await WriteAsync(batch, output, cancellation);
        }
        finally
        {
            if (loaded.Inference is IAsyncDisposable engine) await engine.DisposeAsync();
        }
    }

    private static async Task RunAsync(OfflineBatch batch, long total, string output, CancellationToken cancellation)
    {
        var work = batch.RunAsync(total, cancellation);
        await new OfflineScreen(Console.Error, !Console.IsErrorRedirected, TimeProvider.System).WatchAsync(() => batch.Progress, work);
        try
        {
            await work;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture,
                $"{batch.Progress.Done:N0} of {total:N0} requests are done and kept in {output}.part; the same command goes on from there."));
            throw;
        }
    }

    /// <summary>The files appear whole, the answers last: once they are there, all is.</summary>
    private static async Task<int> WriteAsync(OfflineBatch batch, string output, CancellationToken cancellation)
    {
        var errors = Path.ChangeExtension(output, null) + ".errors.jsonl";
        (var newOutput, var newErrors) = (output + ".new", errors + ".new");
        (long answered, long failed) counts;
        await using (var answers = File.Create(newOutput))
        await using (var failures = File.Create(newErrors)) counts = await batch.WriteAsync(answers, failures, cancellation);
        if (counts.failed > 0)
        {
            File.Move(newErrors, errors, overwrite: true);
        }
        else
        {
            File.Delete(newErrors);
            File.Delete(errors);
        }

        File.Move(newOutput, output, overwrite: true);
        File.Delete(output + ".part");
        var end = counts.failed > 0 ? string.Create(CultureInfo.InvariantCulture, $", {counts.failed:N0} failed: {errors}") : "";
        await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{counts.answered:N0} answered: {output}{end}"));
        return counts.failed > 0 ? SomeFailed : 0;
    }

    private static async Task<int> RefuseAsync(FileInfo input, InputValidation check)
    {
        foreach (var fault in check.Faults.Take(MaxFaultsShown))
            await Console.Error.WriteLineAsync(fault.Line is { } line ? $"{input.Name}:{line}: {fault.Message}" : $"{input.Name}: {fault.Message}");
        if (check.Faults.Count > MaxFaultsShown) await Console.Error.WriteLineAsync("… and more.");
        await Console.Error.WriteLineAsync("Nothing was run.");
        return InvalidInput;
    }
}
