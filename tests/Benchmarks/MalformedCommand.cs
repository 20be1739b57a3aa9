using System.CommandLine;
using System.Globalization;
using R1Serverless.Commands;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench malformed</c>: what a server answers to requests that are none.</summary>
internal static class MalformedCommand
{
    private const int MostShown = 20;

    private static readonly Option<string?> Executable = ExecutableOption.Create();

    private static readonly Option<int> Requests = NumberOption.Bound(new Option<int>("--requests")
    {
        Description = "Requests that are refused; those that happen to be valid are not counted.", HelpName = "N", DefaultValueFactory = _ => 100_000,
    }, 1, 100_000_000);

    private static readonly Option<int> Seed = NumberOption.Bound(new Option<int>("--seed")
    {
        Description = "Of the generator: the same requests for the same number.", HelpName = "N", DefaultValueFactory = _ => 1,
    }, 0, int.MaxValue);

    public static Command Create()
    {
        Command command = new("malformed",
            "Send malformed requests of the Open Inference Protocol to a server: by HTTP, by raw bytes on a socket, and by gRPC. Each must be refused "
            + "in words, none with 5xx, and the server's memory must stay.")
        {
            Executable, Requests, Seed,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(
            arguments.GetValue(Executable), arguments.GetValue(Requests), arguments.GetValue(Seed), cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(string? executable, int requests, int seed, CancellationToken cancellation)
    {
        var report = await MalformedBench.RunAsync(executable, requests, seed, Math.Max(1, requests / 10), cancellation);
        var console = TableConsole.Create(isJson: false);
        Table table = new();
        table.AddColumn("sent: answer").AddColumn(new TableColumn("requests").RightAligned());
        foreach (var (kind, count) in report.Kinds) table.AddRow(kind.EscapeMarkup(), $"{count}");
        console.Write(table);
        foreach (var fault in report.Faults.Take(MostShown)) console.WriteLine($"Wrong: {fault}");
        Table memory = new();
        memory.AddColumn(new TableColumn("refused").RightAligned()).AddColumn(new TableColumn("resident, MiB").RightAligned())
            .AddColumn(new TableColumn("managed heap, MiB").RightAligned());
        foreach (var one in report.Memory) memory.AddRow($"{one.Refused}", MiB(one.Resident), MiB(one.Heap));
        console.Write(memory);
        console.WriteLine($"Seed {seed}; {report.Refused} refused, {report.Faults.Count} wrong answers.");
        if (MemorySample.Growth(report.Memory, one => one.Resident) is { } resident
            && MemorySample.Growth(report.Memory, one => one.Heap) is { } heap)
            console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"Growth in the second half, bytes a request: resident {resident:0}, managed heap {heap:0}."));
        return report.Faults.Count == 0 ? 0 : 1;
    }

    private static string MiB(long bytes) => (bytes / (1024.0 * 1024)).ToString("0.0", CultureInfo.InvariantCulture);
}
