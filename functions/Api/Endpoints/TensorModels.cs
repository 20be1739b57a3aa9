using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Api.OpenAI;
using R1Serverless.Api.OpenInference;
using R1Serverless.Serving;

namespace R1Serverless.Api.Endpoints;

/// <summary>The served models, as the Open Inference Protocol asks for them.</summary>
internal sealed class TensorModels(ServingState serving)
{
    private static readonly ApiError NoneKnown = ApiError.Unavailable(
        "No worker is there yet that says which models it serves, and this call needs to know: try again.", "model_unknown", TimeSpan.FromSeconds(5));

    public bool IsReady => serving.Phase == ServingPhase.Ready;

    /// <summary>The model, or why there is none.</summary>
    /// <param name="version">Null or empty for whichever serves.</param>
    public async ValueTask<(ServedModel? Model, ApiError? Refusal)> FindAsync(string id, string? version, CancellationToken cancellationToken)
    {
        var models = await serving.ListModelsAsync(cancellationToken);
        if (models.FirstOrDefault(one => one.Id == id) is not { } model)
            return (null, models.Count == 0 ? NoneKnown : ApiError.ModelNotFound(id));
        return string.IsNullOrEmpty(version) || ModelMetadata.Refusal(model, version) is not { } refusal ? (model, null)
            : (null, ApiError.WithStatus(StatusCodes.Status404NotFound, refusal, "model_not_found"));
    }

    /// <summary>Whether the model takes text: asked only where a request looks like it, since a gateway has to look it up. While no worker has told
    /// of any model, what looks like text is: such a request waits in the queue for one, as others do.</summary>
    public async ValueTask<bool> IsDecoderAsync(string id, IReadOnlyList<Tensor> inputs, CancellationToken cancellationToken)
    {
        if (!inputs.Any(input => input is { Name: ModelMetadata.TextInput or ModelMetadata.Prompt, Type: TensorType.Bytes })) return false;
        var models = await serving.ListModelsAsync(cancellationToken);
        return models.Count == 0 || models.Any(one => one.Id == id && one.Signature is null);
    }

    public async ValueTask<IReadOnlyList<ListedModel>> IndexAsync(bool isReadyOnly, CancellationToken cancellationToken) =>
        [.. ModelMetadata.Index(await serving.ListModelsAsync(cancellationToken), isReadyOnly)];

    /// <summary>Why a model is neither loaded nor unloaded by request.</summary>
    public async ValueTask<ApiError> ControlRefusalAsync(string id, bool isUnload, CancellationToken cancellationToken)
    {
        var (model, refusal) = await FindAsync(id, null, cancellationToken);
        return model is null ? refusal! : ApiError.Invalid(
            isUnload
            ? "Models leave memory by themselves when others need it. What is served, and in which version, the operator says: r1 serve --model, and "
            + "r1 model activate for those of a repository."
            : "Models are loaded when they are asked for: send the request. Which version serves, the operator says with r1 model activate.",
            null, "unsupported_operation");
    }
}
