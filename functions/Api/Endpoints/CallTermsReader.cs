using System.Security.Cryptography;
using System.Text;
using R1Serverless.Api.Dispatch;
using R1Serverless.Api.OpenAI;

namespace R1Serverless.Api.Endpoints;

/// <summary>Reads the headers by which a client says how its call is to be treated.</summary>
internal static class CallTermsReader
{
    public const string KeyHeader = "Idempotency-Key";
    public const string RespondAsync = "respond-async";

    private const string PreferHeader = "Prefer";
    private const int LongestKey = 255;

    // What these say belongs to the call as the body does.
    private static readonly string[] SaidInHeaders = [PrecisionFields.RequestHeader, DeadlineFields.RequestHeader];

    /// <param name="deployment">The model that the address names; null where it names none.</param>
    public static CallTerms Read(HttpRequest request, CompletionApi api, string? deployment, ReadOnlySpan<byte> body, ValidationResult faults)
    {
        var key = request.Headers.TryGetValue(KeyHeader, out var sent) ? sent.ToString() : null;
        if (key is not null && (key.Length is 0 or > LongestKey || key.AsSpan().ContainsAnyExceptInRange('!', '~')))
            faults.Add(KeyHeader, $"The header {KeyHeader} must be 1 to {LongestKey} visible ASCII characters.");
        return new CallTerms(IsAsync(request), key, key is null ? "" : Hash(request, api, deployment, body));
    }

    // Preferences stand one in a line or several, separated by commas, each with parameters of its own.
    private static bool IsAsync(HttpRequest request) => request.Headers[PreferHeader]
        .SelectMany(line => (line ?? "").Split(',')).Any(one => one.Split(';')[0].Trim().Equals(RespondAsync, StringComparison.OrdinalIgnoreCase));

    private static string Hash(HttpRequest request, CompletionApi api, string? deployment, ReadOnlySpan<byte> body)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(deployment is null ? $"{api}\n" : $"{api} {deployment}\n"));
        foreach (var name in SaidInHeaders) hash.AppendData(Encoding.UTF8.GetBytes($"{request.Headers[name]}\n"));
        hash.AppendData(body);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
