using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenInference;
using R1Serverless.Models;

namespace R1Serverless.Api.OpenAI;

internal enum CompletionApi
{
    /// <summary>POST /v1/chat/completions.</summary>
    Chat,

    /// <summary>POST /v1/completions.</summary>
    Text,

    /// <summary>POST /v1/responses.</summary>
    Responses,

    /// <summary>POST /v2/models/{model}/infer.</summary>
    Tensors,

    /// <summary>POST /v1/embeddings.</summary>
    Embeddings,

    /// <summary>POST /rerank.</summary>
    Rank,

    /// <summary>POST /classify.</summary>
    Classify,

    /// <summary>POST /v1/series, DELETE /v1/series/{key}.</summary>
    Series,
}

/// <summary>One validated call: what to run, and how the client wants the answer.</summary>
/// <param name="IncludeUsage">Whether the stream ends with a chunk of token counts.</param>
internal sealed record CompletionCall(CompletionApi Api, InferenceRequest Request, bool Stream, bool IncludeUsage)
{
    /// <summary>Characters of a model's name.</summary>
    public const int LongestModel = 256;

    /// <summary>vLLM's name for what keeps the beginnings of prompts apart.</summary>
    public const string CacheSalt = "cache_salt";

    private const int MaxSalt = 1024;

    private const int MaxChoices = 16;

    /// <summary>Where the client wants the result sent; null for nowhere.</summary>
    public Uri? Webhook { get; init; }

    /// <summary>How many answers there will be: choices of each prompt.</summary>
    public int AnswerCount => Request.Choices * PromptCount(Request.Prompt);

    public string PromptField => Texts?.Field ?? FieldOfPrompt(Api);

    /// <summary>What its answers repeat; null but in /v1/responses.</summary>
    public ResponseSettings? Settings { get; init; }

    /// <summary>How its answer gives tensors; null but in the Open Inference Protocol.</summary>
    public InferForm? Infer { get; init; }

    /// <summary>How the answer of an encoder is given; null for other calls.</summary>
    public TextForm? Texts { get; init; }

    public static string FieldOfPrompt(CompletionApi api) => api switch
    {
        CompletionApi.Chat => "messages",
        CompletionApi.Text => "prompt",
        CompletionApi.Tensors or CompletionApi.Classify => TextForm.Inputs,
        CompletionApi.Rank => TextForm.Texts,
        CompletionApi.Series => SeriesFields.Values,
        _ => "input",
    };

    /// <summary>The call in a body, or null with the first fault noted. Tensors are read by <see cref="InferFields"/>, series by
    /// <see cref="SeriesFields"/>.</summary>
    /// <param name="precisionHeader">The value of <see cref="PrecisionFields.RequestHeader"/>; null where it was not sent.</param>
    /// <param name="usualPrecision">For requests that name none; null leaves it to the measurements.</param>
    /// <param name="deadlineHeader">The value of <see cref="DeadlineFields.RequestHeader"/>; null where it was not sent.</param>
    /// <param name="owner">Who asks, see <see cref="InferenceRequest.Owner"/>.</param>
    /// <param name="deployment">The model that the address names, whatever the body says, as in Azure OpenAI's; null where the body does.</param>
    public static CompletionCall? Read(
        CompletionApi api, ReadOnlyMemory<byte> body, ValidationResult faults, string? precisionHeader = null, Precision? usualPrecision = null,
        string? deadlineHeader = null, string owner = "", string? deployment = null)
    {
        using var document = RequestBody.Parse(body, faults);
        return document is null ? null
            : Read(api, document.RootElement, faults, precisionHeader, usualPrecision, deadlineHeader, owner, deployment);
    }

    /// <summary>The same of a body that is parsed already.</summary>
    public static CompletionCall? Read(
        CompletionApi api, JsonElement body, ValidationResult faults, string? precisionHeader = null, Precision? usualPrecision = null,
        string? deadlineHeader = null, string owner = "", string? deployment = null)
    {
        RequestReader reader = new(body, "", faults);
        if (TextFields.Has(api) && JsonText.RepeatedField(body) is { } twice)
        {
            faults.Add(twice, $"The body has '{twice}' twice.", "invalid_json");
            return null;
        }

        if (TextFields.Has(api)) return ReadTexts(api, reader, precisionHeader, usualPrecision, deadlineHeader, owner, deployment);
        FieldLists.Of(api).Check(reader);

        if (api != CompletionApi.Text) ToolFields.Check(reader);
        var model = ReadModel(reader, deployment);
        var prompt = ReadPrompt(api, reader) ?? new Prompt.Text("");
        var stream = reader.Flag("stream") ?? false;
        var includeUsage = api != CompletionApi.Responses && ReadIncludeUsage(reader, stream);
        var maxTokens = (int?)reader.Integer(api == CompletionApi.Responses ? "max_output_tokens" : "max_tokens", 1, int.MaxValue);
        if (api == CompletionApi.Chat) maxTokens = (int?)reader.Integer("max_completion_tokens", 1, int.MaxValue) ?? maxTokens;
        var topLogprobs = LogprobFields.ReadRequested(api, reader);
        var webhook = WebhookFields.Read(reader);
        InferenceRequest request = new()
        {
            Id = RequestId.New(),
            Model = model,
            Prompt = prompt,
            Owner = owner,
            CacheSalt = ReadCacheSalt(reader),
            Deadline = DeadlineFields.Read(reader, deadlineHeader),
            Precision = PrecisionFields.Read(reader, precisionHeader, usualPrecision),
            Sampling = SamplingFields.Read(reader),
            MaxTokens = maxTokens,
            Stop = SamplingFields.ReadStop(reader),
            IgnoreEndOfSequence = reader.Flag("ignore_eos") ?? false,
            Choices = (int)(reader.Integer("n", 1, MaxChoices) ?? 1),
            TopLogprobs = topLogprobs,
        };
        if (api == CompletionApi.Text) request = ReadCandidates(reader, request, stream);
        var settings = api == CompletionApi.Responses ? ResponseFields.ReadSettings(reader, request.Sampling, maxTokens) : null;
        return faults.First is null ? new CompletionCall(api, request, stream, includeUsage) { Webhook = webhook, Settings = settings } : null;
    }

    private static string? ReadCacheSalt(RequestReader reader)
    {
        var salt = reader.Text(CacheSalt);
        if (salt is { Length: 0 or > MaxSalt })
            reader.Faults.Add(CacheSalt, $"'{CacheSalt}' must have 1 to {MaxSalt} characters.");
        return salt;
    }

    private static Prompt? ReadPrompt(CompletionApi api, RequestReader reader) => api switch
    {
        CompletionApi.Chat => MessageFields.Read(reader),
        CompletionApi.Text => PromptFields.Read(reader),
        _ => ResponseFields.ReadPrompt(reader),
    };

    private static int PromptCount(Prompt prompt) => prompt is Prompt.List { Prompts.Count: var count } ? count : 1;

    /// <summary>What the older API has beside the chat's: the best of several answers, and the prompt before each.</summary>
    private static InferenceRequest ReadCandidates(RequestReader reader, InferenceRequest request, bool stream)
    {
        var bestOf = (int)(reader.Integer("best_of", 1, MaxChoices) ?? request.Choices);
        var echo = reader.Flag("echo") ?? false;
        if (bestOf < request.Choices) reader.Faults.Add("best_of", $"'best_of' must be at least 'n', {request.Choices}.");
        if (bestOf > request.Choices && stream)
            reader.Faults.Add("best_of", "'best_of' above 'n' can't be streamed: the best answer is known at the end.", "unsupported_parameter");
        if (echo && request.TopLogprobs is not null)
            reader.Faults.Add("echo", "'echo' together with 'logprobs' is not supported here: a prompt's tokens have none.", "unsupported_parameter");
        if (PromptCount(request.Prompt) * bestOf > PromptFields.MaxPrompts)
            reader.Faults.Add("prompt", $"A request may have at most {PromptFields.MaxPrompts} answers: send fewer prompts, or want fewer of each.");
        return request with { BestOf = bestOf > request.Choices ? bestOf : null, Echo = echo };
    }

    private static CompletionCall? ReadTexts(CompletionApi api, RequestReader reader, string? precisionHeader, Precision? usualPrecision,
        string? deadlineHeader, string owner, string? deployment)
    {
        var model = ReadModel(reader, deployment);
        var texts = TextFields.Read(api, reader);
        var webhook = WebhookFields.Read(reader);
        var deadline = DeadlineFields.Read(reader, deadlineHeader);
        var precision = PrecisionFields.Read(reader, precisionHeader, usualPrecision);
        if (reader.Faults.First is not null || texts is not var (prompt, form)) return null;
        InferenceRequest request = new()
        {
            Id = RequestId.New(), Model = model, Prompt = prompt, Owner = owner, Deadline = deadline, Precision = precision,
        };
        return new CompletionCall(api, request, Stream: false, IncludeUsage: false) { Webhook = webhook, Texts = form };
    }

    /// <summary>The model's id; where it is wrong, the fault is noted.</summary>
    /// <param name="deployment">The model that the address names; null where the body does.</param>
    public static string ReadModel(RequestReader reader, string? deployment)
    {
        var (model, faults) = (deployment ?? (reader.Required("model") is { } named ? reader.TextOf(named, "model") ?? "" : ""), reader.Faults);
        if (model.Length is 0 or > LongestModel) faults.Add("model", "'model' must be the id of a served model; GET /v1/models lists them.");
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
