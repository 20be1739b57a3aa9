using System.IO.Compression;
using R1Serverless.Api.OpenAI;

namespace R1Serverless.Api;

/// <summary>Bodies that come compressed (RFC 9110, section 8.4): gzip and br are decoded while they are read, so that whoever reads a body holds what
/// comes out of it to its own limit, and reads no more of it.</summary>
internal static class ContentCoding
{
    private const string Gzip = "gzip", Brotli = "br", Identity = "identity";

    /// <summary>Puts the decoded body in the body's place; why it can't be read, where it comes in another coding or in several.</summary>
    public static ApiError? Decode(HttpContext context)
    {
        var request = context.Request;
        string[] codings =
        [
            .. request.Headers.ContentEncoding.ToString().Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                .Select(one => one.ToLowerInvariant()).Where(one => one != Identity),
        ];
        if (codings.Length == 0) return null;
        Stream? decoded = codings switch
        {
            [Gzip or "x-gzip"] => new GZipStream(request.Body, CompressionMode.Decompress),
            [Brotli] => new BrotliStream(request.Body, CompressionMode.Decompress),
            _ => null,
        };
        if (decoded is null)
        {
            context.Response.Headers.AcceptEncoding = $"{Gzip}, {Brotli}";
            return ApiError.WithStatus(
                StatusCodes.Status415UnsupportedMediaType, $"The header Content-Encoding may be {Gzip} or {Brotli}, or may be left out.",
                "unsupported_content_encoding") with
            { Param = "Content-Encoding" };
        }

        request.Body = new DecodedBody(decoded, codings[0]);
        context.Response.RegisterForDispose(decoded);
        return null;
    }
}
