using System.Globalization;
using R1Serverless.Queues;
using R1Serverless.Serving;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary>The queue as tables.</summary>
internal static class QueuePrinter
{
    private const string Unknown = "–";

    /// <summary>A row for each class, and below it one for each model.</summary>
    public static void Write(IReadOnlyList<(WorkClass Class, QueueStatistics Now)> found) => Print(
        [.. found.SelectMany(one => Rows(one.Class, one.Now))],
        "", ["class", "model", "waiting", "being worked on", "oldest waits for", "dead letters"], row => row);

    public static void Write(IReadOnlyList<(WorkClass Class, QueuedMessage Message)> found) => Print(
        found, "Nothing waits.", ["class", "request", "model", "batch", "deliveries", "waits for"],
        one => [WorkClassName.Of(one.Class), Text(one.Message.RequestId), Text(one.Message.Model), Text(one.Message.Batch),
            Number(one.Message.DequeueCount), DisplayFormat.Age(one.Message.Age)]);

    public static void Write(IReadOnlyList<(WorkClass Class, DeadLetter Letter)> found)
    {
        Print(
            found, "No dead letters.", ["class", "request", "deliveries", "age", "reason"],
            one => [WorkClassName.Of(one.Class), Text(one.Letter.RequestId), Number(one.Letter.DequeueCount), DisplayFormat.Age(one.Letter.Age),
                Text(one.Letter.Reason)]);
        if (found.Count > 0) Console.WriteLine("Fix the cause, then put them back: r1 queue redrive");
    }

    public static void Write(IReadOnlyList<(WorkClass Class, int Count)> moved)
    {
        foreach (var (one, count) in moved) Console.WriteLine($"{WorkClassName.Of(one)}: {count} put back into the queue");
    }

    private static IEnumerable<string[]> Rows(WorkClass workClass, QueueStatistics now)
    {
        yield return Row("all", new ModelStatistics("", now.Waiting, now.Leased, now.OldestAge), Number(now.DeadLetters));
        foreach (var model in now.Models) yield return Row(model.Model.Length > 0 ? model.Model : "for any worker", model, "");

        string[] Row(string model, ModelStatistics of, string dead) =>
            [WorkClassName.Of(workClass), Text(model), Number(of.Waiting), Number(of.Leased),
                of.OldestAge is { } age ? DisplayFormat.Age(age) : Unknown, dead];
    }

    private static void Print<T>(IReadOnlyList<T> found, string nothing, string[] columns, Func<T, string[]> row)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns(columns);
        foreach (var one in found) table.AddRow(row(one));
        if (found.Count == 0) Console.WriteLine(nothing);
        else TableConsole.Create(isJson: false).Write(table);
    }

    // What others wrote must not be taken for markup.
    private static string Text(string? value) => value is null ? Unknown : Markup.Escape(value);

    private static string Number(long? value) => value?.ToString("N0", CultureInfo.InvariantCulture) ?? Unknown;
}
