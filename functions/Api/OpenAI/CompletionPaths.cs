namespace R1Serverless.Api.OpenAI;

/// <summary>The paths of the completion APIs, as routes and batches name them.</summary>
internal static class CompletionPaths
{
    public const string Chat = "/v1/chat/completions", Responses = "/v1/responses", Text = "/v1/completions", Embeddings = "/v1/embeddings";

    /// <summary>Of encoders, as text-embeddings-inference has them.</summary>
    public const string Rank = "/rerank", Classify = "/classify";

    private const string VersionedRank = "/v1/rerank";

    /// <summary>Azure OpenAI's, where the address names the model.</summary>
    public const string AzureChat = "/openai/deployments/{deployment}/chat/completions", AzureText = "/openai/deployments/{deployment}/completions",
        AzureEmbeddings = "/openai/deployments/{deployment}/embeddings";

    /// <summary>Every path with what it is read as.</summary>
    public static IReadOnlyList<(string Path, CompletionApi Api)> Routes { get; } =
    [
        (Chat, CompletionApi.Chat), (AzureChat, CompletionApi.Chat), (Responses, CompletionApi.Responses),
        (Text, CompletionApi.Text), (AzureText, CompletionApi.Text), (Embeddings, CompletionApi.Embeddings),
        (AzureEmbeddings, CompletionApi.Embeddings), (Rank, CompletionApi.Rank), (VersionedRank, CompletionApi.Rank),
        (Classify, CompletionApi.Classify),
    ];

    /// <summary>Those that batches may name, in words.</summary>
    public const string OfBatches = $"{Chat}, {Responses}, {Text}, {Embeddings} or {InferBegin}MODEL{InferEnd}";

    private const string InferBegin = "/v2/models/", InferEnd = "/infer";

    /// <summary>What a batch's path is read as; null where it may name no such path.</summary>
    public static CompletionApi? Find(string path) => path switch
    {
        _ when InferModel(path) is not null => CompletionApi.Tensors,
        Chat => CompletionApi.Chat,
        Responses => CompletionApi.Responses,
        Text => CompletionApi.Text,
        Embeddings => CompletionApi.Embeddings,
        _ => null,
    };

    /// <summary>The model that a path of the Open Inference Protocol names; null where it is none.</summary>
    public static string? InferModel(string path) =>
        path.Length > InferBegin.Length + InferEnd.Length && path.StartsWith(InferBegin, StringComparison.Ordinal)
            && path.EndsWith(InferEnd, StringComparison.Ordinal) && path[InferBegin.Length..^InferEnd.Length] is var model && !model.Contains('/')
                ? Uri.UnescapeDataString(model) : null;
}
