using R1Serverless.Api.OpenAI;

namespace R1Serverless.Api;

/// <summary>Errors as gRPC's status codes have them (https://grpc.io/docs/guides/status-codes/).</summary>
internal static class RpcCode
{
    private const int InvalidArgument = 3, DeadlineExceeded = 4, NotFound = 5, PermissionDenied = 7, ResourceExhausted = 8, Aborted = 10,
        Unimplemented = 12, Internal = 13, Unavailable = 14, Unauthenticated = 16;

    public static int Of(ApiError error) => error switch
    {
        { Code: "deadline_exceeded" } => DeadlineExceeded,
        { Code: "cancelled" } => Aborted,
        { Status: StatusCodes.Status401Unauthorized } => Unauthenticated,
        { Status: StatusCodes.Status403Forbidden } => PermissionDenied,
        { Status: StatusCodes.Status404NotFound, Code: "not_found" } => Unimplemented,
        { Status: StatusCodes.Status404NotFound } => NotFound,
        { Status: StatusCodes.Status405MethodNotAllowed } => Unimplemented,
        { Status: StatusCodes.Status413PayloadTooLarge or StatusCodes.Status429TooManyRequests } => ResourceExhausted,
        { Status: StatusCodes.Status502BadGateway or StatusCodes.Status503ServiceUnavailable } => Unavailable,
        { Status: >= StatusCodes.Status500InternalServerError } => Internal,
        _ => InvalidArgument,
    };
}
