namespace R1Serverless.ModelBuilder.Fitting.Samples;

/// <summary>What samples are.</summary>
public enum SampleKind
{
    /// <summary>Rows of numbers, or windows of them.</summary>
    Numbers,

    /// <summary>Texts.</summary>
    Texts,

    /// <summary>Files of pictures.</summary>
    Pictures,
}

/// <summary>What is read of a file of samples.</summary>
public sealed record SampleFields
{
    /// <summary>What samples are, which the encoder says.</summary>
    public required SampleKind Kind { get; init; }

    /// <summary>The field or column with the label.</summary>
    public string Label { get; init; } = "label";

    /// <summary>The columns that are taken, in this order; of texts and pictures the one that holds them. Others are passed over. Empty for
    /// all.</summary>
    public IReadOnlyList<string> Columns { get; init; } = [];

    /// <summary>Whether all of a sample is in one field.</summary>
    internal bool IsSingle => Kind != SampleKind.Numbers;

    /// <summary>What that field is called where nothing else is said.</summary>
    internal string Usual => UsualOf(Kind);

    internal static string UsualOf(SampleKind kind) => kind switch
    {
        SampleKind.Texts => "text",
        SampleKind.Pictures => "image",
        _ => "values",
    };

    /// <exception cref="InvalidDataException">More than one column is named for what is in one.</exception>
    internal void CheckColumns()
    {
        if (IsSingle && Columns.Count > 1) throw new InvalidDataException($"{Kind.ToString().ToLowerInvariant()} are in one column: name one.");
    }
}
