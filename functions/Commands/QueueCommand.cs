using System.CommandLine;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Api;
using R1Serverless.Abstractions;
using R1Serverless.Api.Endpoints;
using R1Serverless.Queues;
using R1Serverless.Serving;
using R1Serverless.Storage;

namespace R1Serverless.Commands;

/// <summary><c>r1 queue</c>: what waits, what failed for good, and giving it another chance. Prompts are never shown.</summary>
internal static class QueueCommand
{
    private const string Both = "both";

    private static readonly Option<string> Class =
        new("--class") { Description = "Which of the two queues.", DefaultValueFactory = _ => Both };

    private static readonly Option<int> Most = NumberOption.Create("--most", 20, 1, 10_000, "How many of each queue.");

    static QueueCommand() => Class.AcceptOnlyFromAmong([.. Enum.GetValues<WorkClass>().Select(WorkClassName.Of), Both]);

    public static Command Create() =>
        new("queue", "Look into the queue between gateways and workers: what waits, and what was put aside after it failed too often (dead letters).")
    {
        One("stats", "How much waits, how much is being worked on, and how much was put aside.", StatsAsync),
        One("peek", "The oldest waiting requests, without their prompts.", PeekAsync, Most),
        One("dead-letters", "What was put aside and why, without the prompts.", DeadLettersAsync, Most),
        One("redrive", "Put dead letters back into the queue, with a fresh count of deliveries. Do it once the reason is mended.", RedriveAsync,
            Most),
        Names(),
    };

    private static Command One(string name, string description, Func<QueueView, Transport, CancellationToken, Task> action, params Option[] more)
    {
        Command command = new(name, description) { Class, CommonOptions.Json, CommonOptions.Data };
        TransportOption.AddTo(command);
        foreach (var option in more) command.Options.Add(option);
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, action, cancellation)));
        return command;
    }

    private static Command Names()
    {
        Argument<string[]> models = new("models")
        {
            Description = "Models, and precisions of theirs that requests name.", HelpName = "MODEL[:PRECISION]", Arity = ArgumentArity.OneOrMore,
        };
        Command command = new("names", "What a deployment's template calls the queues of single models in Azure.") { models };
        command.SetAction(arguments =>
        {
            foreach (var model in arguments.GetRequiredValue(models)) Console.WriteLine(RouteName.Of(RouteOf(model)));
            return 0;
        });
        return command;
    }

    private static RequestRoute RouteOf(string text) => text.LastIndexOf(':') is > 0 and var at && PrecisionName.Find(text[(at + 1)..]) is { } named
        ? new RequestRoute(text[..at], named) : new RequestRoute(text);

    private static async Task<int> RunAsync(ParseResult arguments, Func<QueueView, Transport, CancellationToken, Task> action,
        CancellationToken cancellation)
    {
        var options = TransportOption.Read(arguments, arguments.GetValue(CommonOptions.Data));
        if (Transports.Refusal(options) is { } refusal) throw new TransportException(refusal, isPermanent: true);
        await using var transport = Transports.Create(options, TimeProvider.System, NullLoggerFactory.Instance);
        await transport.OpenAsync(cancellation);
        var most = arguments.CommandResult.Command.Options.Contains(Most) ? arguments.GetValue(Most) : 0;
        QueueView view = new(Classes(arguments.GetRequiredValue(Class)), most, arguments.GetValue(CommonOptions.Json));
        await action(view, transport, cancellation);
        return 0;
    }

    private static async Task StatsAsync(QueueView view, Transport transport, CancellationToken cancellation)
    {
        List<(WorkClass, QueueStatistics)> found = [];
        foreach (var one in view.Classes) found.Add((one, await transport.Queue.StatisticsAsync(one, cancellation)));
        Show(view, found, QueueJson.Of, QueuePrinter.Write);
    }

    private static async Task PeekAsync(QueueView view, Transport transport, CancellationToken cancellation)
    {
        List<(WorkClass, QueuedMessage)> found = [];
        foreach (var one in view.Classes)
            found.AddRange((await transport.Queue.PeekAsync(one, view.Most, cancellation)).Select(message => (one, message)));
        Show(view, found, QueueJson.Of, QueuePrinter.Write);
    }

    private static async Task DeadLettersAsync(QueueView view, Transport transport, CancellationToken cancellation)
    {
        List<(WorkClass, DeadLetter)> found = [];
        foreach (var one in view.Classes)
            found.AddRange((await transport.Queue.PeekDeadLettersAsync(one, view.Most, cancellation)).Select(letter => (one, letter)));
        Show(view, found, QueueJson.Of, QueuePrinter.Write);
    }

    private static async Task RedriveAsync(QueueView view, Transport transport, CancellationToken cancellation)
    {
        List<(WorkClass, int)> moved = [];
        foreach (var one in view.Classes) moved.Add((one, await transport.RedriveAsync(one, view.Most, cancellation)));
        Show(view, moved, QueueJson.Of, QueuePrinter.Write);
    }

    private static void Show<T>(QueueView view, T found, Func<T, JsonObject> json, Action<T> print)
    {
        if (view.IsJson) JsonAnswers.WriteIndented(Console.OpenStandardOutput(), json(found));
        else print(found);
    }

    private static IReadOnlyList<WorkClass> Classes(string name) =>
        [.. Enum.GetValues<WorkClass>().Where(one => name == Both || WorkClassName.Of(one) == name)];

    /// <summary>What one of the commands is to show.</summary>
    private sealed record QueueView(IReadOnlyList<WorkClass> Classes, int Most, bool IsJson);
}
