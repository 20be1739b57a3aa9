using System.Globalization;
using System.Text.Json;
using R1Serverless.Generation;
using R1Serverless.OpenAi;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary>An evaluation's report for people and for programs.</summary>
internal static class EvaluationPrinter
{
    private const int WrongAnswersShown = 5;

    public static void WriteTable(EvaluationReport report, IAnsiConsole console)
    {
        Table table = new Table().Border(TableBorder.Simple).AddColumn("family");
        foreach (string column in (string[])["right", "tasks", "accuracy"]) table.AddColumn(new TableColumn(column).RightAligned());
        foreach (FamilyScore score in report.Families.Append(report.Total))
            table.AddRow(Markup.Escape(score.Family), $"{score.Right}", $"{score.Tasks}", Percent(score.Accuracy));
        console.Write(table);
        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{report.CompletionTokens} tokens in {report.Duration.TotalSeconds:F1} s: {report.TokensPerSecond:F0} tokens/s at {Evaluation.Concurrency} requests at once"));
        if (report.Answers.FirstOrDefault(a => a.Error is not null) is { Error: { } error })
            console.WriteLine($"{report.Total.Errors} requests failed, the first with: {error.Message}");
        foreach (EvaluatedAnswer wrong in report.Answers.Where(a => !a.IsRight && a.Error is null).Take(WrongAnswersShown))
            console.WriteLine($"wrong ({wrong.Task.Family}): {wrong.Task.Prompt} answered '{wrong.Text}', right is '{wrong.Task.Answer}'");
    }

    public static void WriteJson(EvaluationReport report, Stream output)
    {
        using (Utf8JsonWriter json = new(output, new JsonWriterOptions { Indented = true, Encoder = WireJson.Encoder }))
        {
            json.WriteStartObject();
            json.WriteString("model", report.Model);
            WriteScore(json, "total", report.Total);
            json.WriteStartObject("families");
            foreach (FamilyScore score in report.Families) WriteScore(json, score.Family, score);
            json.WriteEndObject();
            json.WriteNumber("completion_tokens", report.CompletionTokens);
            json.WriteNumber("seconds", Math.Round(report.Duration.TotalSeconds, 3));
            json.WriteNumber("tokens_per_second", Math.Round(report.TokensPerSecond, 1));
            json.WriteStartArray("wrong");
            foreach (EvaluatedAnswer answer in report.Answers.Where(a => !a.IsRight)) WriteWrong(json, answer);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        output.Write("\n"u8);
        output.Flush();
    }

    private static void WriteScore(Utf8JsonWriter json, string name, FamilyScore score)
    {
        json.WriteStartObject(name);
        json.WriteNumber("right", score.Right);
        json.WriteNumber("tasks", score.Tasks);
        json.WriteNumber("errors", score.Errors);
        json.WriteNumber("accuracy", Math.Round(score.Accuracy, 5));
        json.WriteEndObject();
    }

    private static void WriteWrong(Utf8JsonWriter json, EvaluatedAnswer answer)
    {
        json.WriteStartObject();
        json.WriteString("family", answer.Task.Family);
        json.WriteString("prompt", answer.Task.Prompt);
        json.WriteString("right", answer.Task.Answer);
        json.WriteString("answered", answer.Text);
        if (answer.Error is { } error) json.WriteString("error", error.Message);
        json.WriteEndObject();
    }

    /// <summary>Rounded down: 99.96 % is not 100.</summary>
    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(share * 1000) / 10:F1} %");
}
