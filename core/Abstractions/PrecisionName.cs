namespace R1Serverless.Abstractions;

/// <summary>Precisions as requests, answers and command lines write them: fp32, fp16, int8, int4.</summary>
public static class PrecisionName
{
    /// <summary>No precision but the wish that the measurements choose one.</summary>
    public const string Auto = "auto";

    /// <summary>From the most exact to the smallest.</summary>
    public static IReadOnlyList<string> All { get; } = [.. Enum.GetValues<Precision>().Select(Of)];

    public static string Of(Precision precision) => precision switch
    {
        Precision.Fp32 => "fp32",
        Precision.Fp16 => "fp16",
        Precision.Int8 => "int8",
        Precision.Int4 => "int4",
        _ => throw new ArgumentOutOfRangeException(nameof(precision)),
    };

    /// <summary>The precision of a name, case as written; null where it is none.</summary>
    public static Precision? Find(string name)
    {
        foreach (var precision in Enum.GetValues<Precision>())
        {
            if (Of(precision) == name) return precision;
        }

        return null;
    }
}
