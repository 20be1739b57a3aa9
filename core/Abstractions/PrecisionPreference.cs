namespace R1Serverless.Abstractions;

/// <summary>What a request asks of the variant that serves it.</summary>
/// <param name="Named">That variant and no other; null leaves the choice to the measurements ("auto").</param>
/// <param name="MaxAccuracyDrop">The accuracy, in points of percent against FP32, that "auto" may give up for speed, 0 to 100.</param>
public sealed record PrecisionPreference(Precision? Named = null, double MaxAccuracyDrop = PrecisionPreference.DefaultAccuracyDrop)
{
    public const double DefaultAccuracyDrop = 1.2;

    /// <summary>The request named no precision; <see cref="Named"/> is what the server takes then, null ("auto") where it has no default.</summary>
    public bool IsServerDefault { get; init; }
}

/// <summary>The variant that serves a request, and why it was chosen, in words for the client.</summary>
public sealed record VariantChoice(Precision Precision, string Reason)
{
    /// <summary>The model's version that the request runs on from beginning to end; null where models have none.</summary>
    public string? Version { get; init; }
}
