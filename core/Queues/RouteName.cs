using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using R1Serverless.Abstractions;

namespace R1Serverless.Queues;

/// <summary>Routes as parts of the names of queues: at most 27 lower-case letters, digits and single dashes, and no two routes alike. A model that is
/// called so already keeps its name; any other gets eight hexadecimal digits of its name's SHA-256 behind what is left of it.</summary>
public static partial class RouteName
{
    /// <summary>Where dead letters are; no route is called so.</summary>
    public const string Dead = "dead";

    private const int LongestModel = 22, HashDigits = 8;

    public static string Of(RequestRoute route) =>
        route.Precision is { } precision ? $"{Of(route.Model)}-{PrecisionName.Of(precision)}" : Of(route.Model);

    private static string Of(string model)
    {
        if (model.Length <= LongestModel && model != Dead && Plain().IsMatch(model) && !Reserved().IsMatch(model)) return model;
        var slug = Other().Replace(model.ToLowerInvariant(), "-").TrimStart('-');
        slug = slug[..Math.Min(slug.Length, LongestModel - HashDigits - 1)].TrimEnd('-');
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(model)))[..HashDigits];
        return slug.Length > 0 ? $"{slug}-{hash}" : hash;
    }

    [GeneratedRegex("^[a-z0-9]+(-[a-z0-9]+)*$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Plain();

    // What a precision or a hash makes of another name.
    [GeneratedRegex("(^|-)([0-9a-f]{8}|fp32|fp16|int8|int4)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Reserved();

    [GeneratedRegex("[^a-z0-9]+", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Other();
}
