using R1Serverless.Abstractions;
using R1Serverless.Api.OpenInference;

namespace R1Serverless.Api.OpenAI;

/// <summary>What every part of one answer repeats. <paramref name="Created"/> is in Unix seconds.</summary>
internal sealed record AnswerHead(string Id, long Created, string Model)
{
    public const string ResponsePrefix = "resp_";

    /// <summary>What answers of /v1/responses repeat of their call; null for others, and where the call is no longer at hand.</summary>
    public ResponseSettings? Settings { get; init; }

    /// <summary>How answers of the Open Inference Protocol give tensors; everything as JSON where the call is no longer at hand.</summary>
    public InferForm? Infer { get; init; }

    /// <summary>How answers of encoders are given; as usual where the call is no longer at hand.</summary>
    public TextForm? Texts { get; init; }

    public static AnswerHead For(CompletionCall call, TimeProvider time) =>
        For(call.Api, call.Request.Id.Value, time.GetUtcNow().ToUnixTimeSeconds(), call.Request.Model, call.Infer?.Id) with
        { Settings = call.Settings, Infer = call.Infer, Texts = call.Texts };

    /// <param name="created">In Unix seconds.</param>
    /// <param name="clientId">See <see cref="InferBody.Id"/>.</param>
    public static AnswerHead For(CompletionApi api, string id, long created, string model, string? clientId = null) =>
        new(Prefix(api) + id, created, model) { Infer = clientId is null ? null : InferForm.Plain with { Id = clientId } };

    private static string Prefix(CompletionApi api) => api switch
    {
        CompletionApi.Chat => "chatcmpl-",
        CompletionApi.Text => "cmpl-",
        CompletionApi.Embeddings => "embd-",
        CompletionApi.Rank => "rerank-",
        CompletionApi.Classify => "classify-",
        CompletionApi.Series => "series-",
        _ => ResponsePrefix,
    };

    public static string Name(FinishReason reason) => reason == FinishReason.Length ? "length" : "stop";
}
