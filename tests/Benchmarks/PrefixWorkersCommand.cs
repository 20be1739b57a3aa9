using System.CommandLine;
using System.Globalization;
using R1Serverless.Abstractions;
using R1Serverless.Commands;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench prefix-workers</c>: what it saves that a request goes to the worker that has the beginning of its prompt.</summary>
internal static class PrefixWorkersCommand
{
    private static readonly Option<string> Model = new("--model")
    {
        Description = $"{MeasuredModels.Synthetic} or {MeasuredModels.Large}, which are generated, or a model's name.", HelpName = "NAME",
        DefaultValueFactory = _ => MeasuredModels.Synthetic,
    };

    private static readonly Option<int> Conversations = NumberOption.Create("--conversations", 24, 2, 1000, "Conversations, side by side.");

    private static readonly Option<int> Turns = NumberOption.Create("--turns", 6, 2, 50, "Turns of each.");

    private static readonly Option<int> AtOnce = NumberOption.Create("--at-once", 4, 1, 1000, "Requests at once.");

    private static readonly Option<int> Rounds = NumberOption.Create("--rounds", 3, 1, 100, "How often all is measured; medians are printed.");

    private static readonly Option<string?> Executable = ExecutableOption.Create();

    public static Command Create()
    {
        Command command = new("prefix-workers",
            "Measure conversations with a gateway and two workers, with requests that go to the worker that has their conversation, and to any.")
        {
            Model, Conversations, Turns, AtOnce, Rounds, Executable, CommonOptions.Data,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var console = TableConsole.Create(isJson: false);
        var folder = await MeasuredModels.FindAsync(
            arguments.GetRequiredValue(Model), CommonOptions.Models(arguments), [Precision.Fp32], cancellation);
        PrefixWorkersBench bench = new(
            arguments.GetValue(Executable), folder, arguments.GetValue(Conversations), arguments.GetValue(Turns), arguments.GetValue(AtOnce),
            TimeProvider.System);
        Table table = new() { Title = new TableTitle(Markup.Escape(folder.Name)) };
        foreach (var column in (string[])["later turns go to", "cached", "first token, ms", "nine of ten, ms", "all, s"]) table.AddColumn(column);
        await console.Status().StartAsync("Starting", async status =>
        {
            foreach (var row in await bench.RunAsync(arguments.GetValue(Rounds), text => status.Status(Markup.Escape(text)), cancellation))
            {
                table.AddRow(row.What, string.Create(CultureInfo.InvariantCulture, $"{row.Cached:P0}"), Number(row.FirstToken), Number(row.Slow),
                    Number(row.Seconds));
            }
        });
        console.Write(table);
        return 0;
    }

    private static string Number(double value) => value.ToString("N1", CultureInfo.InvariantCulture);
}
