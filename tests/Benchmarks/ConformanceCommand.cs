using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using R1Serverless.Commands;
using R1Serverless.Tests.Conformance;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench conformance</c>: ONNX's own test graphs by every protocol, bit for bit beside ONNX Runtime.</summary>
internal static class ConformanceCommand
{
    private static readonly Option<string> Data = new("--data")
    {
        Description = "A folder with ONNX's test graphs, each with inputs and expected outputs: Debian's libonnx-testdata, unpacked.",
        HelpName = "FOLDER", DefaultValueFactory = _ => OnnxTestCase.Installed,
    };

    private static readonly Option<bool> Free = new("--free")
    {
        Description = "Free the first dimension of every input and output before: is it taken for a batch axis only where it is one?",
    };

    private static readonly Option<string?> Only = new("--only")
    {
        Description = "Graphs whose name contains this.", HelpName = "TEXT",
    };

    public static Command Create()
    {
        Command command = new("conformance",
            "Serve every graph of ONNX's own tests, ask it over its own inputs by REST with JSON, REST with binary data and gRPC, and compare every "
            + "bit with what ONNX Runtime itself gives in this process.")
        {
            Data, Free, Only,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(
            arguments.GetValue(Data)!, arguments.GetValue(Free), arguments.GetValue(Only) ?? "", cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(string data, bool isFree, string only, CancellationToken cancellation)
    {
        IReadOnlyList<OnnxTestCase> cases =
            [.. OnnxTestCase.FindAll(data).Where(one => one.Name.Contains(only, StringComparison.Ordinal))];
        using TemporaryFolder folder = new();
        if (isFree) cases = FreedCase.WriteAll(cases, folder.Path);
        var began = Stopwatch.GetTimestamp();
        var report = await ConformanceRun.RunAsync(cases, cancellation);
        var console = TableConsole.Create(isJson: false);
        foreach (var reasons in report.LeftOut.GroupBy(one => one.Reason.Split(':')[0], StringComparer.Ordinal))
            Console.WriteLine($"Not compared, {reasons.Key}: {reasons.Count()} ({string.Join(", ", reasons.Take(12).Select(one => one.Graph))})");
        foreach (var (graph, reason) in report.Refused) Console.WriteLine($"Refused: {graph}: {reason}");
        foreach (var (graph, protocol, difference) in report.Differences) Console.WriteLine($"Different: {graph} by {protocol}: {difference}");
        Table table = new();
        table.AddColumn("");
        foreach (var column in (string[])["served", "equal", "different"]) table.AddColumn(new TableColumn(column).RightAligned());
        for (var i = 0; i < ThreeProtocols.Names.Count; i++)
        {
            var (served, equal) = report.Of(i);
            table.AddRow(ThreeProtocols.Names[i], $"{served}", $"{equal}", $"{served - equal}");
        }

        console.Write(table);
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{report.Graphs} graphs, {report.Graphs - report.LeftOut.Count} that ONNX Runtime runs over tensors ({report.Expected} as their files "
            + $"expect), {report.Refused.Count} refused, {report.Batched} in batches, {Stopwatch.GetElapsedTime(began).TotalSeconds:N0} s."));
        return report.Differences.Count == 0 ? 0 : 1;
    }
}
