using System.Globalization;

namespace R1Serverless.Api.OpenAI;

/// <summary>This server's extension of both APIs: how long the answer may take, waiting included, in seconds. The body's field <c>deadline</c> and
/// the header say the same.</summary>
internal static class DeadlineFields
{
    public const string RequestHeader = "x-r1-deadline";

    private const string Field = "deadline";

    /// <summary>From a millisecond to a week.</summary>
    private const double Least = 0.001, Most = 604_800;

    /// <param name="header">The header's value; null where it was not sent.</param>
    /// <returns>Null where no limit is set.</returns>
    public static TimeSpan? Read(RequestReader reader, string? header)
    {
        var body = reader.Double(Field, Least, Most);
        double? sent = null;
        if (header is not null)
        {
            sent = double.TryParse(header, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds)
                && seconds is >= Least and <= Most ? seconds : null;
            if (sent is null)
                reader.Faults.Add(RequestHeader,
                    $"'{RequestHeader}' must be a number of seconds from {Least} to {Most}, not '{Truncated.Name(header)}'.");
            else if (body is not null && body != sent)
                reader.Faults.Add(Field, $"'{Field}' and the header {RequestHeader} differ: send one of them, or the same in both.");
        }

        return (body ?? sent) is { } limit ? TimeSpan.FromSeconds(limit) : null;
    }
}
