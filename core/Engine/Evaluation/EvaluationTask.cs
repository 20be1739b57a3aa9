using System.Text.Json;
using R1Serverless.Models;
using R1Serverless.Storage.Files;

namespace R1Serverless.Engine.Evaluation;

/// <summary>One question with its only right answer.</summary>
/// <param name="Family">Tasks of a family are counted together.</param>
/// <param name="Prompt">The user's message.</param>
/// <param name="Answer">What the answer must be, character for character.</param>
public sealed record EvaluationTask(string Family, string Prompt, string Answer)
{
    /// <summary>Reads a file of JSON lines, each <c>{"family","prompt","answer"}</c>; empty lines are passed over.</summary>
    /// <exception cref="InvalidDataException">A line is something else, or there is none; the message names the file and the line.</exception>
    public static async Task<IReadOnlyList<EvaluationTask>> LoadAsync(string path, CancellationToken cancellationToken)
    {
        List<EvaluationTask> tasks = [];
        await foreach (var (number, line) in TextFile.LinesAsync(path, cancellationToken))
        {
            if (string.IsNullOrWhiteSpace(line)) continue;
            tasks.Add(Parse(line, out var fault) ?? throw new InvalidDataException($"{path}, line {number}{fault}"));
        }

        return tasks.Count > 0 ? tasks : throw new InvalidDataException($"{path} holds no tasks.");
    }

    private static EvaluationTask? Parse(string line, out string? fault)
    {
        fault = ": must be an object with the strings family, prompt and answer.";
        try
        {
            using var document = JsonText.ParseLine(line);
            return Text(document.RootElement, "family") is { } family && Text(document.RootElement, "prompt") is { } prompt
                && Text(document.RootElement, "answer") is { } answer
                ? new EvaluationTask(family, prompt, answer)
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
        catch (InvalidDataException refused)
        {
            fault = refused.Message;
            return null;
        }
    }

    private static string? Text(JsonElement task, string name) =>
        task.ValueKind == JsonValueKind.Object && task.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
        ? value.GetString() : null;
}
