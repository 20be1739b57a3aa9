namespace R1Serverless.Api.OpenAI;

/// <summary>Keeps the first fault found in a request, so that reading needs neither exceptions nor a check after every field.</summary>
internal sealed class ValidationResult
{
    public ApiError? First { get; private set; }

    public void Add(string? param, string message, string code = "invalid_value") => Add(ApiError.Invalid(message, param, code));

    public void Add(ApiError fault) => First ??= fault;
}
