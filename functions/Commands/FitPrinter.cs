using System.Globalization;
using R1Serverless.ModelBuilder.Fitting.Training;
using R1Serverless.Serving;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary>What was measured of a fitted model, for people.</summary>
internal static class FitPrinter
{
    /// <summary>With more labels, only what is mistaken most is told.</summary>
    private const int MostColumns = 9, MostMistakes = 10, LongestLabel = 32;

    public static void Write(FitReport report, IAnsiConsole console)
    {
        var hasColumns = report.Classes.Count <= MostColumns;
        Table table = new() { Border = TableBorder.Simple };
        table.AddColumn("label");
        foreach (var name in (string[])["samples", "precision", "recall"]) table.AddColumn(new TableColumn(name).RightAligned());
        foreach (var one in hasColumns ? report.Classes : [])
            table.AddColumn(new TableColumn(Markup.Escape($"as {Short(one.Label)}")).RightAligned());
        foreach (var (one, row) in report.Classes.Zip(report.Confusion))
        {
            table.AddRow([
                Markup.Escape(Short(one.Label)), $"{one.Samples}", one.Precision is { } precision ? Percent(precision) : "–", Percent(one.Recall),
                .. hasColumns ? row.Select(Count) : []]);
        }

        console.Write(table);
        if (!hasColumns) WriteMistakes(report, console);
        console.WriteLine(
            $"Right: {Percent(report.Accuracy)} (with 95 % confidence {Percent(report.Low)} to {Percent(report.High)}); always "
            + $"'{Short(report.Classes.MaxBy(one => one.Samples)!.Label)}' would be {Percent(report.Baseline)}.");
        console.WriteLine(
            $"By samples that a head was not fitted on: {report.Folds} parts, each left out once"
            + (report.Repeats > 1 ? $"; dealt {report.Repeats} times, numbers are means." : "."));
    }

    private static void WriteMistakes(FitReport report, IAnsiConsole console)
    {
        var mistakes =
            from own in Enumerable.Range(0, report.Classes.Count)
            from given in Enumerable.Range(0, report.Classes.Count)
            where own != given && report.Confusion[own][given] > 0
            orderby report.Confusion[own][given] descending
            select $"  '{Short(report.Classes[own].Label)}' as '{Short(report.Classes[given].Label)}': {Count(report.Confusion[own][given])}";
        foreach (var line in mistakes.Take(MostMistakes)) console.WriteLine(line);
    }

    /// <summary>A line break would tear the table.</summary>
    private static string Short(string label) => DisplayFormat.Text(label, LongestLabel).ReplaceLineEndings(" ");

    private static string Count(double count) => count.ToString("0.#", CultureInfo.InvariantCulture);

    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{share * 100:0.0} %");
}
