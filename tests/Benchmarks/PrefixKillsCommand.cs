using System.CommandLine;
using System.Globalization;
using R1Serverless.Commands;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench prefix-kills</c>: whether shared prefixes ever change an answer while servers die.</summary>
internal static class PrefixKillsCommand
{
    private static readonly Option<int> Requests = NumberOption.Create("--requests", 10_000, 1, 50_000, "Requests of the batch.");

    private static readonly Option<int> Seconds = NumberOption.Create(
        "--kill-every", 30, 1, 3600, "Seconds that a server lives once it is ready; another takes a batch over after 15.");

    private static readonly Option<string> KvMemory = new("--kv-memory")
    {
        Description = "The server's memory for keys and values.", HelpName = "SIZE", DefaultValueFactory = _ => "32MB",
    };

    public static Command Create()
    {
        Command command = new("prefix-kills",
            "Run a batch of prompts with 50 prefixes, of which a few are popular, on a server that shares prefixes and is killed again and again, and "
            + "compare each text with that of a server that shares nothing.")
        {
            Requests, Seconds, KvMemory,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var console = TableConsole.Create(isJson: false);
        var report = await console.Status().StartAsync("Starting", status => PrefixKillsBench.RunAsync(
            arguments.GetValue(Requests), TimeSpan.FromSeconds(arguments.GetValue(Seconds)), arguments.GetRequiredValue(KvMemory),
            text => status.Status(text), cancellation));
        console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{report.Requests} requests, {report.Kills} kills: {report.Wrong} wrong. {report.Cached} of {report.Prompt} prompt tokens were shared. "
            + $"{report.Apart.TotalSeconds:N0} s without sharing, {report.Shared.TotalSeconds:N0} s with sharing and kills."));
        return report.Wrong == 0 ? 0 : 1;
    }
}
