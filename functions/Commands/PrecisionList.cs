using R1Serverless.Requests;

namespace R1Serverless.Commands;

/// <summary>Precisions on a command line: <c>fp32,int8</c>, or the option several times.</summary>
internal static class PrecisionList
{
    /// <summary>Each once, from the most exact; empty where nothing is named.</summary>
    /// <exception cref="InvalidDataException">A name is none; the message says which there are.</exception>
    public static IReadOnlyList<Precision> Parse(IEnumerable<string> texts) =>
    [
        .. texts.SelectMany(text => text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            .Select(name => PrecisionName.Find(name) ?? throw new InvalidDataException($"--precision: '{name}' is no precision; there are {string.Join(", ", PrecisionName.All)}."))
            .Distinct().Order(),
    ];
}
