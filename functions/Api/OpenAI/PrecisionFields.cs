using R1Serverless.Abstractions;

namespace R1Serverless.Api.OpenAI;

/// <summary>This server's extension of both APIs: which variant of the model is to answer. The body's field <c>precision</c> and the header say the
/// same.</summary>
internal static class PrecisionFields
{
    public const string RequestHeader = "x-r1-precision";

    private const string Field = "precision";

    /// <param name="header">The header's value; null where it was not sent.</param>
    /// <param name="usual">What a request gets that names none; null leaves it to the measurements.</param>
    public static PrecisionPreference Read(RequestReader reader, string? header, Precision? usual)
    {
        var body = reader.Text(Field);
        Check(body, Field, reader.Faults);
        Check(header, RequestHeader, reader.Faults);
        if (body is not null && header is not null && body != header)
        {
            reader.Faults.Add(Field,
                $"'{Field}' is {Truncated.Name(body)}, but the header {RequestHeader} is {Truncated.Name(header)}: send one of them, or the same in "
                + "both.");
        }

        var drop = reader.Double("max_accuracy_drop", 0, 100) ?? PrecisionPreference.DefaultAccuracyDrop;
        return (body ?? header) is { } named
            ? new PrecisionPreference(PrecisionName.Find(named), drop)
            : new PrecisionPreference(usual, drop) { IsServerDefault = true };
    }

    private static void Check(string? value, string at, ValidationResult faults)
    {
        if (value is null or PrecisionName.Auto || PrecisionName.Find(value) is not null) return;
        faults.Add(at, $"'{at}' must be one of {string.Join(", ", PrecisionName.All)} and {PrecisionName.Auto}, not '{Truncated.Name(value)}'.");
    }
}
