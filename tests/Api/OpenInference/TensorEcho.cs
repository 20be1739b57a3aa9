using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.ModelLoading;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api.OpenInference;

/// <summary>A model that answers with its inputs; the server over it.</summary>
internal static class TensorEcho
{
    public const string Model = "echo", Versioned = "versioned", Decoder = "decoder";

    public static VariantChoice Variant { get; } = new(Precision.Int8, "fastest") { Version = "v7" };

    /// <summary>The outputs are the inputs, those that are asked for; of another name there is none.</summary>
    public static FakeInference Inference() => new((request, _) => Play(request));

    /// <param name="inference">Null for <see cref="Inference"/>.</param>
    public static async Task<TestServer> StartAsync(IInference? inference = null, ServeOptions? options = null)
    {
        LoadedModels loaded = new(inference ?? Inference(), () => [Served(Model), .. Others], () => default);
        var server = await TestServer.StartLoadingAsync((_, _, _) => Task.FromResult(loaded), options);
        await server.UntilAsync(ServingPhase.Ready);
        return server;
    }

    public static ServedModel Served(string id) => TestServer.Served() with
    {
        Id = id,
        ContextLength = 0,
        Signature = new TensorSignature(
            [new TensorSpec("x", TensorType.Float32, [-1, 2])],
            [new TensorSpec("y", TensorType.BFloat16, [-1]), new TensorSpec("z", TensorType.Bytes, [])]),
    };

    private static ServedModel[] Others =>
    [
        Served(Versioned) with
        {
            Versions = [new ServedVersion("v7", VersionState.Active, null), new ServedVersion("v8", VersionState.Failed, "it is too large")],
        },
        TestServer.Served() with { Id = Decoder },
    ];

    private static async IAsyncEnumerable<InferenceEvent> Play(InferenceRequest request)
    {
        await Task.Yield();
        yield return new InferenceEvent.Admitted(0, Variant);
        if (request.Prompt is not Prompt.Tensors tensors)
        {
            foreach (var choice in Enumerable.Range(0, request.Prompt is Prompt.List list ? list.Prompts.Count : 1))
            {
                yield return new InferenceEvent.Delta(choice, DeltaKind.Answer, $"answer {choice}");
                yield return new InferenceEvent.ChoiceFinished(choice, FinishReason.Stop);
            }
        }
        else if (tensors.Outputs.FirstOrDefault(name => tensors.Inputs.All(input => input.Name != name)) is { } unknown)
        {
            yield return new InferenceEvent.Failed(
                new InferenceError(InferenceErrorKind.InvalidRequest, $"The model has no output '{unknown}'.", $"outputs.{unknown}"));
            yield break;
        }
        else
        {
            yield return new InferenceEvent.Outputs(
                [.. tensors.Outputs is [] ? tensors.Inputs : tensors.Outputs.Select(name => tensors.Inputs.First(input => input.Name == name))]);
        }

        yield return new InferenceEvent.Finished(new Usage(0, 0, 0));
    }
}
