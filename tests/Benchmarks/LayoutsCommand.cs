using System.CommandLine;
using System.Globalization;
using R1Serverless.Commands;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.Serving;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>The ways to write quantised layers, side by side on this machine.</summary>
internal static class LayoutsCommand
{
    private static readonly Option<int> Rounds =
        NumberOption.Bound(
        new Option<int>("--rounds")
        {
            Description = "How often each speed is measured; medians are printed.", HelpName = "N",
            DefaultValueFactory = _ => 5
        }, 1, 1000);

    private static readonly Option<int> Tasks = NumberOption.Bound(new Option<int>("--tasks")
    {
        Description = $"How many of its problems {ShippedModels.Nano} is asked in each layout; 0 leaves that out.", HelpName = "N",
        DefaultValueFactory = _ => 2400,
    }, 0, 1_000_000);

    public static Command Create()
    {
        Command command = new(
            "layouts",
            "Compare ways to write quantised layers: speed on random weights (about 50 million parameters), whether a row depends on its "
            + $"neighbours, and {ShippedModels.Nano}'s accuracy.")
        {
            Rounds, Tasks,
        };
        command.SetAction(
            (arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments.GetValue(Rounds), arguments.GetValue(Tasks), cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(int rounds, int tasks, CancellationToken cancellation)
    {
        var console = TableConsole.Create(isJson: false);
        var folder = Directory.CreateTempSubdirectory("r1-layouts-");
        try
        {
            await console.Status().StartAsync("Preparing", async status =>
                Print(console,
                    await new LayoutBench(folder.FullName, rounds, tasks, text => status.Status(Markup.Escape(text))).RunAsync(cancellation)));
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        return 0;
    }

    private static void Print(IAnsiConsole console, IReadOnlyList<LayoutRow> rows)
    {
        Table table = new();
        table.AddColumn("layout");
        string[] columns = ["file", .. LayoutBench.Rows.Select(r => $"tokens/s at {r}"), $"prompt of {LayoutBench.PromptTokens}",
            "alone and together", "exact answers"];
        foreach (var column in columns) table.AddColumn(new TableColumn(column).RightAligned());
        foreach (var row in rows)
        {
            table.AddRow(
            [
                Markup.Escape(row.IsBuilt ? $"{row.Layout} (built)" : row.Layout), DisplayFormat.Bytes(row.FileBytes),
                    .. row.Decode.Select(rate => Number(rate, "N0")), Number(row.Prefill, "N0"),
                row.RowDifference == 0 ? "equal" : Number(row.RowDifference, "0e+0"), row.Accuracy is { } accuracy ? Number(accuracy, "P2") : "",
            ]);
        }

        console.Write(table);
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);
}
