using System.Text.Json.Serialization;

namespace R1Serverless.Api.OpenAI;

/// <summary>The answer of POST /v1/chat/completions without streaming.</summary>
internal sealed record ChatAnswer(
    string Id, string Object, long Created, string Model, IReadOnlyList<ChatAnswerChoice> Choices, AnswerUsage Usage);

internal sealed record ChatAnswerChoice(int Index, AnswerMessage Message, ChatLogprobs? Logprobs, string FinishReason);

/// <summary>The reasoning goes out under both names in use, DeepSeek's and vLLM's; both are null where the model did not reason.</summary>
internal sealed record AnswerMessage(string Role, string Content, string? ReasoningContent, string? Reasoning, string? Refusal);

internal sealed record ChatLogprobs(IReadOnlyList<ChatTokenLogprob> Content, IReadOnlyList<ChatTokenLogprob>? Refusal);

internal sealed record ChatTokenLogprob(
    string Token,
    float Logprob,
    IReadOnlyList<int> Bytes,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<ChatTokenLogprob>? TopLogprobs);

/// <summary>The answer of POST /v1/completions without streaming.</summary>
internal sealed record TextAnswer(
    string Id, string Object, long Created, string Model, IReadOnlyList<TextAnswerChoice> Choices, AnswerUsage Usage);

internal sealed record TextAnswerChoice(int Index, string Text, TextLogprobs? Logprobs, string FinishReason);

/// <summary>Parallel arrays, one entry per token; offsets count characters (code points) from the start of the text.</summary>
internal sealed record TextLogprobs(
    IReadOnlyList<string> Tokens,
    IReadOnlyList<float> TokenLogprobs,
    IReadOnlyList<IReadOnlyDictionary<string, float>> TopLogprobs,
    IReadOnlyList<int> TextOffset);

internal sealed record AnswerUsage(
    int PromptTokens,
    int CompletionTokens,
    int TotalTokens,
    PromptTokensDetails PromptTokensDetails,
    CompletionTokensDetails CompletionTokensDetails,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] AnswerVariant? Variant);

/// <summary>This server's extension: which variant of the model answered, and why that one.</summary>
/// <param name="Version">Of the model, where it has versions.</param>
internal sealed record AnswerVariant(string Precision, string Reason,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Version);

/// <param name="CachedTokens">Of the prompt, those that were computed for an earlier request.</param>
internal sealed record PromptTokensDetails(int CachedTokens);

internal sealed record CompletionTokensDetails(int ReasoningTokens);

/// <summary>GET /v1/models.</summary>
internal sealed record ModelList(string Object, IReadOnlyList<ModelEntry> Data);

/// <summary>GET /v1/models/{id}; the fields after <c>owned_by</c> are this server's.</summary>
/// <param name="Task">What it is for: <c>generate</c>, <c>embed</c>, <c>rank</c>, <c>classify</c>, <c>series</c> or
/// <c>tensors</c>.</param>
/// <param name="Versions">Of a model that comes from a repository; else not there.</param>
internal sealed record ModelEntry(
    string Id,
    string Object,
    long Created,
    string OwnedBy,
    string Task,
    int? ContextLength,
    string Device,
    IReadOnlyList<ModelVariantEntry> Variants,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<ModelVersionEntry>? Versions);

/// <param name="State">active, retiring, fetching, loading, waiting or failed.</param>
/// <param name="Reason">Why it does not serve; null where it does.</param>
/// <param name="Workers">How many say so.</param>
internal sealed record ModelVersionEntry(string Version, string State,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Reason, int Workers);

/// <param name="Bytes">Its size on the disk.</param>
/// <param name="Evaluation">What was measured on this device; null where nothing was.</param>
/// <param name="SharesPrefixes">Whether prompts that begin alike are computed once; null where it is not loaded, or takes no prompts.</param>
internal sealed record ModelVariantEntry(string Precision, long Bytes, bool Loaded, VariantEvaluationEntry? Evaluation,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] bool? SharesPrefixes);

/// <param name="Accuracy">Exact answers, 0 to 1.</param>
/// <param name="AccuracyDrop">Points of percent below fp32.</param>
/// <param name="WithinTolerance">Whether "auto" may choose the variant at all.</param>
/// <param name="TokensPerSecond">By the number of rows at once.</param>
internal sealed record VariantEvaluationEntry(
    double Accuracy, double AccuracyDrop, bool WithinTolerance, IReadOnlyDictionary<int, double> TokensPerSecond);

internal sealed record ErrorAnswer(ErrorDetail Error);

/// <summary>An error as the Open Inference Protocol has it.</summary>
internal sealed record TensorErrorAnswer(string Error);

/// <summary>GET /v2.</summary>
internal sealed record TensorServerAnswer(string Name, string Version, IReadOnlyList<string> Extensions);

/// <summary>GET /v2/health/live.</summary>
internal sealed record TensorLiveAnswer(bool Live);

/// <summary>GET /v2/health/ready, and with the name GET /v2/models/{model}/ready.</summary>
internal sealed record TensorReadyAnswer([property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Name, bool Ready);

/// <summary>GET /v2/models/{model}.</summary>
/// <param name="Versions">Those that requests may name; not there for a model without versions.</param>
internal sealed record TensorModelAnswer(
    string Name, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<string>? Versions, string Platform,
    IReadOnlyList<TensorSpecAnswer> Inputs, IReadOnlyList<TensorSpecAnswer> Outputs);

/// <param name="Shape">-1 for a dimension that a request chooses.</param>
/// <param name="Parameters">Null where the input takes nothing but such tensors.</param>
internal sealed record TensorSpecAnswer(
    string Name, string Datatype, IReadOnlyList<long> Shape,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyDictionary<string, string>? Parameters);

internal sealed record ErrorDetail(string Message, string Type, string? Param, string? Code);

/// <summary>GET /health/ready: one entry for each variant that is loaded.</summary>
/// <param name="Startup">When each step of the start was reached, in seconds since the process's start.</param>
/// <param name="Workers">How many a gateway knows to be alive; not there in other roles.</param>
internal sealed record HealthAnswer(
    string Status, IReadOnlyList<ModelHealth> Models, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] int? Workers,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyDictionary<string, double>? Startup);

/// <summary>Sequences that hold a slot, and those that wait for one.</summary>
internal sealed record ModelHealth(string Id, string Precision, int Running, int Waiting);

/// <summary>GET /.</summary>
/// <param name="Role">all, gateway or worker.</param>
/// <param name="Transport">embedded, storage or servicebus.</param>
/// <param name="Queue">Where the queue is; null until it is open.</param>
internal sealed record ServiceAnswer(string Service, string Version, string Status, string Api, string Role, string Transport, string? Queue);
