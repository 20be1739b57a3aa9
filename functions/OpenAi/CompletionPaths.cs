namespace R1Serverless.OpenAi;

/// <summary>The paths of the two completion APIs, as routes and batches name them.</summary>
internal static class CompletionPaths
{
    public const string Chat = "/v1/chat/completions", Text = "/v1/completions";

    public static IReadOnlyList<string> All { get; } = [Chat, Text];

    /// <summary>Null where it is none of them.</summary>
    public static CompletionApi? Find(string path) => path switch
    {
        Chat => CompletionApi.Chat,
        Text => CompletionApi.Text,
        _ => null,
    };
}
