using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;
using R1Serverless.Queues.Worker;

namespace R1Serverless.Tests.Queues;

/// <summary>An engine of so many slots that writes one word of an answer each tenth of a second: "w0 w1 …". Prompts that are numbers say how many
/// words.</summary>
internal sealed class ScriptedEngine(TimeProvider time, int slots = 8) : IInference
{
    public static readonly TimeSpan WordTime = TimeSpan.FromMilliseconds(100);

    private readonly List<TaskCompletionSource> _line = [];
    private int _running;

    /// <summary>Requests in the order in which they got a slot.</summary>
    public List<InferenceRequest> Started { get; } = [];

    public List<RequestId> Stopped { get; } = [];

    /// <summary>What a request fails with instead of an answer; null for none.</summary>
    public Func<InferenceRequest, InferenceError?> Fails { get; set; } = _ => null;

    /// <summary>A word of the answer, by its number and this engine's choice.</summary>
    public Func<InferenceRequest, int, string> Word { get; set; } = (_, i) => $"w{i} ";

    /// <summary>The engine hangs before this word of any answer, as one whose process is gone.</summary>
    public int HangsBefore { get; set; } = int.MaxValue;

    public WorkerLoad Load => new(_running, _line.Count, _running >= slots);

    public int MaxRunning { get; private set; }

    public int MaxWaiting { get; private set; }

    public static string Text(int words) => string.Concat(Enumerable.Range(0, words).Select(i => $"w{i} "));

    public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return new InferenceEvent.Admitted(3, new VariantChoice(Precision.Fp32, "the only one"));
        await EnterAsync(cancellationToken);
        var ended = false;
        try
        {
            Started.Add(request);
            var words = int.Parse(((Prompt.Text)request.Prompt).Value);
            for (var i = 0; i < words; i++)
            {
                await Task.Delay(i >= HangsBefore ? Timeout.InfiniteTimeSpan : WordTime, time, cancellationToken);
                yield return new InferenceEvent.Delta(0, i < 2 ? DeltaKind.Reasoning : DeltaKind.Answer, Word(request, i));
            }

            ended = true;
            if (Fails(request) is { } error)
            {
                yield return new InferenceEvent.Failed(error);
                yield break;
            }

            yield return new InferenceEvent.ChoiceFinished(0, FinishReason.Stop);
            yield return new InferenceEvent.Finished(new Usage(3, words, 2));
        }
        finally
        {
            if (!ended) Stopped.Add(request.Id);
            Leave();
        }
    }

    private async Task EnterAsync(CancellationToken cancellationToken)
    {
        if (_running >= slots)
        {
            TaskCompletionSource turn = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _line.Add(turn);
            MaxWaiting = Math.Max(MaxWaiting, _line.Count);
            using var registration = cancellationToken.Register(() =>
            {
                if (_line.Remove(turn)) turn.SetCanceled(cancellationToken);
            });
            await turn.Task;
            return;
        }

        MaxRunning = Math.Max(MaxRunning, ++_running);
    }

    private void Leave()
    {
        if (_line is not [var next, ..])
        {
            _running--;
            return;
        }

        _line.RemoveAt(0);
        next.SetResult();
    }
}
