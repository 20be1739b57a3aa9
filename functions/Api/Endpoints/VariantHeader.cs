using R1Serverless.Abstractions;

namespace R1Serverless.Api.Endpoints;

/// <summary>This server's extension: the header that names the variant which answers, and why that one: <c>int8; fastest within 1.2 points: …</c>;
/// where models have versions, <c>; version V</c> at the end.</summary>
internal static class VariantHeader
{
    public const string Name = "x-r1-variant";

    /// <summary>Before the answer's first byte.</summary>
    public static void Set(HttpResponse response, VariantChoice variant) =>
        response.Headers[Name] =
        $"{PrecisionName.Of(variant.Precision)}; {Visible(variant.Reason)}{(variant.Version is { } version ? $"; version {version}" : "")}";

    private static string Visible(string text) => string.Create(text.Length, text, static (safe, reason) =>
    {
        for (var i = 0; i < safe.Length; i++) safe[i] = reason[i] is >= ' ' and <= '~' ? reason[i] : '?';
    });
}
