using System.Globalization;
using R1Serverless.Hosting;
using R1Serverless.Queues;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary>The queue as tables.</summary>
internal static class QueuePrinter
{
    private const string Unknown = "–";

    public static void Write(IReadOnlyList<(WorkClass Class, QueueStatistics Now)> found)
    {
        Table table = New("class", "waiting", "being worked on", "oldest waits for", "dead letters");
        foreach (var (one, now) in found)
        {
            table.AddRow(WorkClassName.Of(one), Number(now.Waiting), now.Leased is { } leased ? Number(leased) : Unknown, now.OldestAge is { } age ? Quantities.Age(age) : Unknown, Number(now.DeadLetters));
        }

        Print(table);
    }

    public static void Write(IReadOnlyList<(WorkClass Class, QueuedMessage Message)> found)
    {
        if (found.Count == 0)
        {
            Console.WriteLine("Nothing waits.");
            return;
        }

        Table table = New("class", "request", "model", "batch", "deliveries", "waits for");
        foreach (var (one, message) in found)
        {
            table.AddRow(WorkClassName.Of(one), Text(message.RequestId), Text(message.Model), Text(message.Batch), Number(message.DequeueCount), Quantities.Age(message.Age));
        }

        Print(table);
    }

    public static void Write(IReadOnlyList<(WorkClass Class, DeadLetter Letter)> found)
    {
        if (found.Count == 0)
        {
            Console.WriteLine("No dead letters.");
            return;
        }

        Table table = New("class", "request", "deliveries", "age", "reason");
        foreach (var (one, letter) in found) table.AddRow(WorkClassName.Of(one), Text(letter.RequestId), Number(letter.DequeueCount), Quantities.Age(letter.Age), Text(letter.Reason));
        Print(table);
        Console.WriteLine("Mend the reason, then put them back: r1 queue redrive");
    }

    public static void Write(IReadOnlyList<(WorkClass Class, int Count)> moved)
    {
        foreach (var (one, count) in moved) Console.WriteLine($"{WorkClassName.Of(one)}: {count} put back into the queue");
    }

    private static Table New(params string[] columns) => new Table().Border(TableBorder.Simple).AddColumns(columns);

    private static void Print(Table table) => BenchConsole.Create(isJson: false).Write(table);

    // What others wrote must not be taken for markup.
    private static string Text(string? value) => value is null ? Unknown : Markup.Escape(value);

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
