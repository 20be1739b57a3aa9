namespace R1Serverless.ModelBuilder.Fitting.Samples;

/// <summary>What is read of a file of samples.</summary>
public sealed record SampleFields
{
    /// <summary>Whether samples are texts; else they are numbers.</summary>
    public required bool AreTexts { get; init; }

    /// <summary>The field or column with the label.</summary>
    public string Label { get; init; } = "label";

    /// <summary>The columns that are taken, in this order; of texts the one that holds them. Others are passed over. Empty for all.</summary>
    public IReadOnlyList<string> Columns { get; init; } = [];
}
