namespace R1Serverless.Api.OpenAI;

/// <summary>An error's body: <c>{"error":{"message","type","param","code"}}</c>.</summary>
internal static class ErrorWire
{
    public static ErrorAnswer From(ApiError error) => new(new ErrorDetail(error.Message, error.Type, error.Param, error.Code));
}
