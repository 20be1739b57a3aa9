using System.Text;
using R1Serverless.Abstractions;

namespace R1Serverless.Engine.Evaluation;

/// <summary>Asks a model every task, greedily and many at once, and compares the answers character for character. Reasoning is not
/// compared.</summary>
public static class Evaluation
{
    /// <summary>Requests under way at once: enough to fill a batch on a small machine.</summary>
    public const int Concurrency = 64;

    /// <param name="inference">Who answers.</param>
    /// <param name="model">The model's id.</param>
    /// <param name="precision">The variant that must answer.</param>
    /// <param name="tasks">At least one.</param>
    /// <param name="time">Measures the duration.</param>
    /// <param name="progress">Told how many tasks are done after each; null if nobody watches.</param>
    /// <param name="cancellationToken">Stops the evaluation.</param>
    public static async Task<EvaluationReport> RunAsync(
        IInference inference, string model, Precision precision, IReadOnlyList<EvaluationTask> tasks, TimeProvider time, IProgress<int>? progress,
        CancellationToken cancellationToken)
    {
        var answers = new EvaluatedAnswer[tasks.Count];
        var done = 0;
        var began = time.GetTimestamp();
        await Parallel.ForEachAsync(
            Enumerable.Range(0, tasks.Count),
            new ParallelOptions { MaxDegreeOfParallelism = Concurrency, CancellationToken = cancellationToken },
            async (index, cancellation) =>
            {
                answers[index] = await AskAsync(inference, model, precision, tasks[index], cancellation);
                progress?.Report(Interlocked.Increment(ref done));
            });
        return new EvaluationReport(model, answers, time.GetElapsedTime(began));
    }

    private static async Task<EvaluatedAnswer> AskAsync(IInference inference, string model, Precision precision, EvaluationTask task,
        CancellationToken cancellationToken)
    {
        var request = new InferenceRequest
        {
            Id = RequestId.New(),
            Model = model,
            Prompt = new Prompt.Chat([new ChatMessage(ChatRole.User, task.Prompt)]),
            Sampling = new SamplingOptions { Temperature = 0 },
            Precision = new PrecisionPreference(precision),
        };
        var text = new StringBuilder();
        await foreach (var inferenceEvent in inference.RunAsync(request, cancellationToken))
        {
            switch (inferenceEvent)
            {
                case InferenceEvent.Delta { Kind: DeltaKind.Answer } delta:
                    text.Append(delta.Text);
                    break;
                case InferenceEvent.ChoiceFinished ended:
                    text.Remove(0, ended.UnopenedReasoning);
                    break;
                case InferenceEvent.Finished finished:
                    return new EvaluatedAnswer(task, text.ToString(), finished.Usage.CompletionTokens, Error: null);
                case InferenceEvent.Failed failed:
                    return new EvaluatedAnswer(task, text.ToString(), 0, failed.Error);
            }
        }

        throw new InvalidOperationException("The events ended without Finished or Failed.");
    }
}
