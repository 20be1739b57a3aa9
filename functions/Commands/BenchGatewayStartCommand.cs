using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using R1Serverless.Bench;

namespace R1Serverless.Commands;

/// <summary><c>r1 bench gateway-start</c>: the gateway's part of a cold start.</summary>
internal static class BenchGatewayStartCommand
{
    private static readonly Option<int> Rounds = NumberOption.Bound(new Option<int>("--rounds") { Description = "How often it is started; medians are printed.", HelpName = "N", DefaultValueFactory = _ => 15 }, 1, 1000);

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object instead." };

    public static Command Create()
    {
        Command command = new("gateway-start", "Measure how soon a gateway answers after its start. Of use on a published executable: dotnet publish functions.") { Rounds, Json };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        GatewayStartReport report = await GatewayStart.MeasureAsync(arguments.GetValue(Rounds), TimeProvider.System, cancellation);
        Console.WriteLine(arguments.GetValue(Json)
            ? JsonSerializer.Serialize(report, BenchJson.Default.GatewayStartReport)
            : string.Create(CultureInfo.InvariantCulture, $"first byte {report.FirstByte:0} ms, at most {report.FirstByteMost:0}; ready {report.Ready:0} ms, at most {report.ReadyMost:0} ({report.Rounds} starts, medians)"));
        return 0;
    }
}
