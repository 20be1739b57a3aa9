using System.Text.Json;
using R1Serverless.Requests;

namespace R1Serverless.OpenAi;

internal enum CompletionApi
{
    /// <summary>POST /v1/chat/completions.</summary>
    Chat,

    /// <summary>POST /v1/completions.</summary>
    Text,
}

/// <summary>One validated call: what to run, and how the client wants the answer.</summary>
/// <param name="IncludeUsage">Whether the stream ends with a chunk of token counts.</param>
internal sealed record CompletionCall(CompletionApi Api, InferenceRequest Request, bool Stream, bool IncludeUsage)
{
    private const int MostChoices = 16;
    private const int LongestModel = 256;

    /// <summary>Where the client wants the result sent; null for nowhere.</summary>
    public Uri? Webhook { get; init; }

    public string PromptField => FieldOfPrompt(Api);

    public static string FieldOfPrompt(CompletionApi api) => api == CompletionApi.Chat ? "messages" : "prompt";

    /// <summary>The call in a body, or null with the first fault noted.</summary>
    /// <param name="precisionHeader">The value of <see cref="PrecisionFields.RequestHeader"/>; null where it was not sent.</param>
    /// <param name="usualPrecision">For requests that name none; null leaves it to the measurements.</param>
    /// <param name="deadlineHeader">The value of <see cref="DeadlineFields.RequestHeader"/>; null where it was not sent.</param>
    /// <param name="owner">Who asks, see <see cref="InferenceRequest.Owner"/>.</param>
    public static CompletionCall? Read(
        CompletionApi api, ReadOnlyMemory<byte> body, FaultSlot faults, string? precisionHeader = null, Precision? usualPrecision = null,
        string? deadlineHeader = null, string owner = "")
    {
        using JsonDocument? document = RequestBody.Parse(body, faults);
        if (document is null) return null;
        RequestReader reader = new(document.RootElement, "", faults);
        (api == CompletionApi.Chat ? FieldLists.Chat : FieldLists.Completions).Check(reader);

        string model = ReadModel(reader);
        Prompt? prompt = api == CompletionApi.Chat ? MessageFields.Read(reader) : PromptFields.Read(reader);
        bool stream = reader.Flag("stream") ?? false;
        bool includeUsage = ReadIncludeUsage(reader, stream);
        long? maxTokens = reader.Integer("max_tokens", 1, int.MaxValue);
        if (api == CompletionApi.Chat) maxTokens = reader.Integer("max_completion_tokens", 1, int.MaxValue) ?? maxTokens;
        int? topLogprobs = LogprobFields.ReadRequested(api, reader);
        Uri? webhook = WebhookFields.Read(reader);
        InferenceRequest request = new()
        {
            Id = RequestId.New(),
            Model = model,
            Prompt = prompt ?? new Prompt.Text(""),
            Owner = owner,
            Deadline = DeadlineFields.Read(reader, deadlineHeader),
            Precision = PrecisionFields.Read(reader, precisionHeader, usualPrecision),
            Sampling = SamplingFields.Read(reader),
            MaxTokens = (int?)maxTokens,
            Stop = SamplingFields.ReadStop(reader),
            IgnoreEndOfSequence = reader.Flag("ignore_eos") ?? false,
            Choices = (int)(reader.Integer("n", 1, MostChoices) ?? 1),
            TopLogprobs = topLogprobs,
        };
        return faults.First is null ? new CompletionCall(api, request, stream, includeUsage) { Webhook = webhook } : null;
    }

    private static string ReadModel(RequestReader reader)
    {
        string model = reader.Required("model") is { } value ? reader.TextOf(value, "model") ?? "" : "";
        if (model.Length is 0 or > LongestModel) reader.Faults.Add("model", "'model' must be the id of a served model; GET /v1/models lists them.");
        return model;
    }

    private static bool ReadIncludeUsage(RequestReader reader, bool stream)
    {
        if (reader.Object("stream_options") is not { } options) return false;
        FieldLists.StreamOptions.Check(options);
        if (!stream) reader.Faults.Add("stream_options", "'stream_options' is only allowed together with 'stream': true.");
        return options.Flag("include_usage") ?? false;
    }
}
