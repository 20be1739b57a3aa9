using R1Serverless.Abstractions;

namespace R1Serverless.Engine.Evaluation;

/// <summary>What came of an evaluation.</summary>
/// <param name="Model">The model's id.</param>
/// <param name="Answers">One for each task, in the tasks' order.</param>
/// <param name="Duration">From the first request to the last answer.</param>
public sealed record EvaluationReport(string Model, IReadOnlyList<EvaluatedAnswer> Answers, TimeSpan Duration)
{
    /// <summary>The families in the order of their names.</summary>
    public IReadOnlyList<FamilyScore> Families { get; } =
        [.. Answers.GroupBy(a => a.Task.Family, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal)
            .Select(g => FamilyScore.Of(g.Key, g))];

    public FamilyScore Total { get; } = FamilyScore.Of("all", Answers);

    public long CompletionTokens { get; } = Answers.Sum(a => (long)a.CompletionTokens);

    public double TokensPerSecond => Duration > TimeSpan.Zero ? CompletionTokens / Duration.TotalSeconds : 0;
}

/// <summary>A task and what the model made of it.</summary>
/// <param name="Task">The task.</param>
/// <param name="Text">The answer without its reasoning.</param>
/// <param name="CompletionTokens">Reasoning included.</param>
/// <param name="Error">Null where the model answered.</param>
public sealed record EvaluatedAnswer(EvaluationTask Task, string Text, int CompletionTokens, InferenceError? Error)
{
    public bool IsRight => Error is null && string.Equals(Text, Task.Answer, StringComparison.Ordinal);
}

/// <param name="Family">The family's name.</param>
/// <param name="Right">Exact answers.</param>
/// <param name="Tasks">All of them.</param>
/// <param name="Errors">Requests that failed; they count as not right.</param>
public sealed record FamilyScore(string Family, int Right, int Tasks, int Errors)
{
    /// <summary>0 to 1.</summary>
    public double Accuracy => (double)Right / Tasks;

    internal static FamilyScore Of(string family, IEnumerable<EvaluatedAnswer> answers)
    {
        var all = answers.ToArray();
        return new FamilyScore(family, all.Count(a => a.IsRight), all.Length, all.Count(a => a.Error is not null));
    }
}
