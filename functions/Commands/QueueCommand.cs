using System.CommandLine;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Endpoints;
using R1Serverless.Hosting;
using R1Serverless.Queues;

namespace R1Serverless.Commands;

/// <summary><c>r1 queue</c>: what waits, what failed for good, and giving it another chance. Prompts are never shown.</summary>
internal static class QueueCommand
{
    private const string Both = "both";

    private static readonly Option<string?> Data = DataOption.Create();

    private static readonly Option<string> Class = CreateClass();

    private static readonly Option<int> Most = NumberOption.Bound(new Option<int>("--most") { Description = "How many of each queue, 1 to 10,000.", HelpName = "N", DefaultValueFactory = _ => 20 }, 1, 10_000);

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object instead of a table." };

    public static Command Create() => new("queue", "Look into the queue between gateways and workers: what waits, and what was put aside after it failed too often (dead letters).")
    {
        One("stats", "How much waits, how much is being worked on, and how much was put aside.", StatsAsync),
        One("peek", "The oldest waiting requests, without their prompts.", PeekAsync, Most),
        One("dead-letters", "What was put aside and why, without the prompts.", DeadLettersAsync, Most),
        One("redrive", "Put dead letters back into the queue, with a fresh count of deliveries. Do it once the reason is mended.", RedriveAsync, Most),
    };

    private static Command One(string name, string description, Func<QueueView, Transport, CancellationToken, Task> action, params Option[] more)
    {
        Command command = new(name, description) { Class, Json, Data };
        TransportOption.AddTo(command);
        foreach (Option option in more) command.Options.Add(option);
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, action, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, Func<QueueView, Transport, CancellationToken, Task> action, CancellationToken cancellation)
    {
        TransportOptions options = TransportOption.Read(arguments, arguments.GetValue(Data));
        if (Transports.Refusal(options) is { } refusal) throw new TransportException(refusal, isPermanent: true);
        await using Transport transport = Transports.Create(options, TimeProvider.System, NullLoggerFactory.Instance);
        await transport.OpenAsync(cancellation);
        int most = arguments.CommandResult.Command.Options.Contains(Most) ? arguments.GetValue(Most) : 0;
        await action(new QueueView(Classes(arguments.GetRequiredValue(Class)), most, arguments.GetValue(Json)), transport, cancellation);
        return 0;
    }

    private static async Task StatsAsync(QueueView view, Transport transport, CancellationToken cancellation)
    {
        List<(WorkClass, QueueStatistics)> found = [];
        foreach (WorkClass one in view.Classes) found.Add((one, await transport.Queue.StatisticsAsync(one, cancellation)));
        if (view.IsJson) Print(output => QueueJson.Write(output, found));
        else QueuePrinter.Write(found);
    }

    private static async Task PeekAsync(QueueView view, Transport transport, CancellationToken cancellation)
    {
        List<(WorkClass, QueuedMessage)> found = [];
        foreach (WorkClass one in view.Classes) found.AddRange((await transport.Queue.PeekAsync(one, view.Most, cancellation)).Select(message => (one, message)));
        if (view.IsJson) Print(output => QueueJson.Write(output, found));
        else QueuePrinter.Write(found);
    }

    private static async Task DeadLettersAsync(QueueView view, Transport transport, CancellationToken cancellation)
    {
        List<(WorkClass, DeadLetter)> found = [];
        foreach (WorkClass one in view.Classes) found.AddRange((await transport.Queue.PeekDeadLettersAsync(one, view.Most, cancellation)).Select(letter => (one, letter)));
        if (view.IsJson) Print(output => QueueJson.Write(output, found));
        else QueuePrinter.Write(found);
    }

    private static async Task RedriveAsync(QueueView view, Transport transport, CancellationToken cancellation)
    {
        List<(WorkClass, int)> moved = [];
        foreach (WorkClass one in view.Classes) moved.Add((one, await transport.RedriveAsync(one, view.Most, cancellation)));
        if (view.IsJson) Print(output => QueueJson.Write(output, moved));
        else QueuePrinter.Write(moved);
    }

    private static void Print(Action<Stream> write)
    {
        using Stream output = Console.OpenStandardOutput();
        write(output);
    }

    private static IReadOnlyList<WorkClass> Classes(string name) => [.. Enum.GetValues<WorkClass>().Where(one => name == Both || WorkClassName.Of(one) == name)];

    private static Option<string> CreateClass()
    {
        Option<string> option = new("--class") { Description = "Which of the two queues.", DefaultValueFactory = _ => Both };
        option.AcceptOnlyFromAmong([.. Enum.GetValues<WorkClass>().Select(WorkClassName.Of), Both]);
        return option;
    }

    /// <summary>What one of the commands is to show.</summary>
    private sealed record QueueView(IReadOnlyList<WorkClass> Classes, int Most, bool IsJson);
}
