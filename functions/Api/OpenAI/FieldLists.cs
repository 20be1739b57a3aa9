using System.Text.Json;

namespace R1Serverless.Api.OpenAI;

/// <summary>The names each object of the two APIs may have; <see cref="KnownFields"/> says what the kinds mean.</summary>
internal static class FieldLists
{
    private static readonly string[] SharedUnderstood =
    [
        "model", "stream", "stream_options", "n", "seed", "stop", "temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty",
        "repetition_penalty", "logit_bias", "max_tokens", "logprobs", "ignore_eos", "precision", "max_accuracy_drop", "deadline", "webhook",
        CompletionCall.CacheSalt,
    ];

    // Labels, cache and billing hints of OpenAI; hints of length that a model cannot follow; vLLM's detokeniser options, whose defaults are
    // what happens here.
    private static readonly string[] SharedHarmless =
    [
        "user", "metadata", "store", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier", "parallel_tool_calls",
        "verbosity", "skip_special_tokens", "spaces_between_special_tokens", "request_id", "priority",
    ];

    private static readonly Dictionary<string, Func<JsonElement, bool>> SharedUnsupported = new(StringComparer.Ordinal)
    {
        ["length_penalty"] = IsNumber(1),
        ["min_tokens"] = IsNumber(0),
        ["use_beam_search"] = IsFalse,
        ["include_stop_str_in_output"] = IsFalse,
        ["guided_json"] = Never,
        ["guided_regex"] = Never,
        ["guided_choice"] = Never,
        ["guided_grammar"] = Never,
        ["response_format"] = value => IsTyped(value, "text"),
    };

    public static KnownFields Chat { get; } = new(
        [.. SharedUnderstood, "messages", "max_completion_tokens", "top_logprobs", "reasoning_effort", "chat_template_kwargs"],
        SharedHarmless,
        new(SharedUnsupported, StringComparer.Ordinal)
        {
            ["best_of"] = IsNumber(1),
            ["echo"] = IsFalse,
            ["tools"] = IsArray,
            ["tool_choice"] = value => IsText(value, "none"),
            ["functions"] = IsArray,
            ["function_call"] = value => IsText(value, "none"),
            ["audio"] = Never,
            ["modalities"] = value => value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(one => IsText(one, "text")),
            ["prediction"] = Never,
            ["web_search_options"] = Never,
            ["thinking"] = value => IsTyped(value, "enabled"),
            ["include_reasoning"] = IsTrue,
            ["add_generation_prompt"] = IsTrue,
            ["continue_final_message"] = IsFalse,
            ["chat_template"] = Never,
        });

    // A raw prompt has no template that could follow an effort.
    public static KnownFields Completions { get; } = new(
        [.. SharedUnderstood, "prompt", "best_of", "echo"],
        [.. SharedHarmless, "reasoning_effort"],
        new(SharedUnsupported, StringComparer.Ordinal) { ["suffix"] = value => IsText(value, "") });

    // Hints, and what is about tools or stored answers, of which there are none.
    public static KnownFields Responses { get; } = new(
        [
            "model", "input", "instructions", "previous_response_id", "conversation", "background", "stream", "max_output_tokens", "temperature",
            "top_p", "top_k", "min_p", "seed", "frequency_penalty", "presence_penalty", "logit_bias", "reasoning", "text", "metadata", "ignore_eos",
            "precision", "max_accuracy_drop", "deadline", "webhook", CompletionCall.CacheSalt,
        ],
        [
            "user", "store", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier", "parallel_tool_calls",
            "max_tool_calls", "stream_options",
        ],
        new(StringComparer.Ordinal)
        {
            ["include"] = value => IsArray(value) && !value.EnumerateArray().Any(one => IsText(one, "message.output_text.logprobs")),
            ["top_logprobs"] = IsNumber(0),
            ["tools"] = IsArray,
            ["tool_choice"] = value => IsText(value, "none") || IsText(value, "auto"),
            ["truncation"] = value => IsText(value, "disabled"),
            ["prompt"] = Never,
        });

    public static KnownFields Reasoning { get; } = new(["effort", "summary", "generate_summary"], [], []);

    public static KnownFields ResponseText { get; } =
        new([], ["verbosity"], new(StringComparer.Ordinal) { ["format"] = value => IsTyped(value, "text") });

    public static KnownFields InputMessage { get; } = new(["type", "role", "content"], ["id", "status", "name", "phase"], []);

    public static KnownFields StreamOptions { get; } = new(
        ["include_usage"],
        ["include_obfuscation"],
        new(StringComparer.Ordinal) { ["continuous_usage_stats"] = IsFalse });

    // The reasoning of earlier answers is accepted and dropped, as R1's template does with it.
    public static KnownFields Message { get; } = new(
        ["role", "content"],
        ["name", "reasoning_content", "reasoning", "reasoning_details", "refusal", "annotations"],
        new(StringComparer.Ordinal)
        {
            ["tool_calls"] = IsEmptyArray, ["tool_call_id"] = Never, ["function_call"] = Never, ["audio"] = Never, ["prefix"] = IsFalse,
        });

    public static KnownFields Webhook { get; } = new(["url"], [], []);

    public static KnownFields ContentPart { get; } = new(["type", "text"], ["cache_control", "annotations", "logprobs"], []);

    /// <summary>Of the whole body.</summary>
    public static KnownFields Of(CompletionApi api) => api switch
    {
        CompletionApi.Chat => Chat,
        CompletionApi.Text => Completions,
        _ => Responses,
    };

    private static bool Never(JsonElement value) => false;

    private static bool IsTrue(JsonElement value) => value.ValueKind == JsonValueKind.True;

    private static bool IsFalse(JsonElement value) => value.ValueKind == JsonValueKind.False;

    private static bool IsArray(JsonElement value) => value.ValueKind == JsonValueKind.Array;

    private static bool IsEmptyArray(JsonElement value) => value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0;

    private static bool IsText(JsonElement value, string text) => value.ValueKind == JsonValueKind.String && value.ValueEquals(text);

    private static bool IsTyped(JsonElement value, string type) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty("type", out var name) && IsText(name, type);

    private static Func<JsonElement, bool> IsNumber(double number) =>
        value => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var actual) && actual == number;
}
