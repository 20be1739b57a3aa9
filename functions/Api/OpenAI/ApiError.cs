using R1Serverless.Abstractions;

namespace R1Serverless.Api.OpenAI;

/// <summary>A refusal or failure as OpenAI's clients expect it.</summary>
/// <param name="Status">The HTTP status, 400 to 503.</param>
/// <param name="Type">OpenAI's family of errors, such as <c>invalid_request_error</c>.</param>
/// <param name="Param">The field at fault with its path, such as <c>messages[2].content</c>.</param>
/// <param name="RetryAfter">Sent as the Retry-After header, in whole seconds rounded up.</param>
internal sealed record ApiError(
    int Status, string Type, string Message, string? Param = null, string? Code = null, TimeSpan? RetryAfter = null)
{
    public const string InvalidTokenCode = "invalid_token";

    /// <summary>Sent as <c>x-should-retry: false</c>, which OpenAI's SDKs honour: the request has ended, and sending it again would do its work
    /// again.</summary>
    public bool IsFinal { get; init; }

    private const string InvalidRequestType = "invalid_request_error";
    private static readonly TimeSpan DefaultRetry = TimeSpan.FromSeconds(1), QueueRetry = TimeSpan.FromSeconds(2);

    public static ApiError Invalid(string message, string? param = null, string? code = null) =>
        new(StatusCodes.Status400BadRequest, InvalidRequestType, message, param, code);

    public static ApiError WithStatus(int status, string message, string code) => new(status, InvalidRequestType, message, null, code);

    public static ApiError ModelNotFound(string model) => new(
        StatusCodes.Status404NotFound, InvalidRequestType,
        $"The model '{Truncated.Name(model)}' is not served here; GET /v1/models lists those that are.",
        "model", "model_not_found");

    public static ApiError Unauthorized { get; } = new(
        StatusCodes.Status401Unauthorized, InvalidRequestType,
        "A valid API key is needed: send the header 'Authorization: Bearer KEY'.", null, "invalid_api_key");

    /// <summary>It came with a token that opens nothing here.</summary>
    public static ApiError InvalidToken(string message) =>
        new(StatusCodes.Status401Unauthorized, InvalidRequestType, message, null, InvalidTokenCode);

    /// <summary>Whoever calls may not do this.</summary>
    public static ApiError Forbidden(string message, string code = "insufficient_permissions") =>
        new(StatusCodes.Status403Forbidden, "permission_error", message, null, code);

    public static ApiError Unavailable(string message, string code, TimeSpan retryAfter) =>
        new(StatusCodes.Status503ServiceUnavailable, "service_unavailable", message, null, code, retryAfter);

    public static ApiError QueueUnreachable { get; } = Unavailable("The queue can't be reached right now.", "queue_unreachable", QueueRetry);

    /// <summary>Too much at once, of all or of one key; nothing was taken in.</summary>
    public static ApiError Busy(string message, string code, TimeSpan retryAfter) =>
        new(StatusCodes.Status429TooManyRequests, "rate_limit_error", message, null, code, retryAfter);

    /// <summary>A fault of ours: the client learns the id to quote, the log holds the rest.</summary>
    public static ApiError Internal(string requestId) => new(
        StatusCodes.Status500InternalServerError, "server_error",
        $"The server failed on this request. Its id is {requestId}; the server's log says more.", null, "internal_error");

    /// <param name="error">What the engine said.</param>
    /// <param name="promptField">How this API names the prompt: such as <c>messages</c>, <c>prompt</c> or <c>input</c>.</param>
    /// <param name="requestId">Quoted where the fault is ours.</param>
    public static ApiError From(InferenceError error, string promptField, string requestId) =>
        // Who answers names a conversation as the chat API does, and texts as that for embeddings.
        Named(error with { Field = Renamed(error.Field, promptField) }, promptField, requestId);

    private static string? Renamed(string? field, string promptField) => field switch
    {
        "messages" or "input" => promptField,
        _ when field?.StartsWith("input[", StringComparison.Ordinal) == true => promptField + field["input".Length..],
        _ => field,
    };

    private static ApiError Named(InferenceError error, string promptField, string requestId) => error.Kind switch
    {
        InferenceErrorKind.InvalidRequest => Invalid(error.Message, error.Field, "invalid_value"),
        InferenceErrorKind.ModelNotFound =>
            new(StatusCodes.Status404NotFound, InvalidRequestType, error.Message, error.Field ?? "model", "model_not_found"),
        InferenceErrorKind.ContextLengthExceeded => Invalid(error.Message, error.Field ?? promptField, "context_length_exceeded"),
        InferenceErrorKind.WindowMissing => Conflict(error, "window_missing"),
        InferenceErrorKind.SequencePassed => Conflict(error, "sequence_passed"),
        // Retrying would never help on this device, so it is the request that is too large, not a 5xx, which SDKs retry.
        InferenceErrorKind.OutOfMemory => Invalid(error.Message, error.Field ?? promptField, "out_of_memory"),
        InferenceErrorKind.QueueFull => new(
            StatusCodes.Status429TooManyRequests, "rate_limit_error", error.Message, error.Field, "queue_full", error.RetryAfter ?? DefaultRetry),
        InferenceErrorKind.Unavailable => Unavailable(error.Message, "unavailable", error.RetryAfter ?? DefaultRetry),
        // Clients send again what was answered with 408, 409, 422 or 5xx: OpenAI's SDKs, the AI SDK and LangChain each know a part of these as
        // transient, and 400 as none of them.
        InferenceErrorKind.Cancelled => Invalid(error.Message, error.Field, "cancelled") with { IsFinal = true },
        InferenceErrorKind.DeadlineExceeded =>
            Invalid(error.Message, error.Field ?? "deadline", "deadline_exceeded") with { Type = "timeout_error", IsFinal = true },
        InferenceErrorKind.Undeliverable =>
            new(StatusCodes.Status502BadGateway, "server_error", error.Message, error.Field, "undeliverable") { IsFinal = true },
        _ => Internal(requestId),
    };

    /// <summary>The same request would be refused again, though clients take 409 for something transient.</summary>
    private static ApiError Conflict(InferenceError error, string code) =>
        new(StatusCodes.Status409Conflict, InvalidRequestType, error.Message, error.Field, code) { IsFinal = true };
}
