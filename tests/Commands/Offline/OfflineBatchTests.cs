using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;
using R1Serverless.Commands.Offline;
using R1Serverless.Queues.Batches;

namespace R1Serverless.Tests.Commands.Offline;

public sealed class OfflineBatchTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("r1-offline-").FullName;

    [Fact]
    public async Task A_line_whose_answer_meets_a_fault_of_ours_is_an_error_line_and_the_others_are_answered()
    {
        FileInfo input = new(Path.Combine(_folder, "in.jsonl"));
        string[] prompts = ["one", "broken", "three"];
        await File.WriteAllLinesAsync(input.FullName, prompts.Select(prompt =>
            $$$"""{"custom_id":"{{{prompt}}}","method":"POST","url":"/v1/completions","body":{"model":"m","prompt":"{{{prompt}}}"}}"""));
        using var journal = await BatchJournal.OpenAsync(Path.Combine(_folder, "out.part"), "head", TestContext.Current.CancellationToken);
        ConcurrentQueue<string> broken = [];
        OfflineBatch batch = new(input, journal, new OpenAiBatches(null, TimeProvider.System), new Fragile(), atOnce: 2, new BatchLimits(),
            (line, fault) => broken.Enqueue($"{line.CustomId}: {fault.GetType().Name}"));
        await batch.RunAsync(prompts.Length, TestContext.Current.CancellationToken);
        using MemoryStream answers = new(), errors = new();
        Assert.Equal((2, 1), await batch.WriteAsync(answers, errors, TestContext.Current.CancellationToken));
        Assert.Equal(["broken: ArgumentException"], broken);
        var error = JsonDocument.Parse(errors.ToArray()).RootElement;
        Assert.Equal("broken", error.GetProperty("custom_id").GetString());
        Assert.Equal(500, error.GetProperty("response").GetProperty("status_code").GetInt32());
        Assert.Equal(["one", "three"], Encoding.UTF8.GetString(answers.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("custom_id").GetString()!));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private sealed class Fragile : IInference
    {
        public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            yield return new InferenceEvent.Admitted(1, new VariantChoice(Precision.Fp32, "the only one"));
            await Task.Yield();
            if (request.Prompt is Prompt.Text { Value: "broken" }) throw new ArgumentException(null, nameof(request));
            yield return new InferenceEvent.Delta(0, DeltaKind.Answer, "yes");
            yield return new InferenceEvent.ChoiceFinished(0, FinishReason.Stop);
            yield return new InferenceEvent.Finished(new Usage(1, 1, 0));
        }
    }
}
