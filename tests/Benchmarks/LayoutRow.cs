namespace R1Serverless.Tests.Benchmarks;

/// <summary>What was measured of one layout.</summary>
/// <param name="Layout">In words.</param>
/// <param name="IsBuilt">Whether `r1 model build` writes its precision like this.</param>
/// <param name="FileBytes">The random model's variant on the disk.</param>
/// <param name="Decode">Tokens per second with as many rows as <see cref="LayoutBench.Rows"/> says.</param>
/// <param name="Prefill">Prompt tokens per second.</param>
/// <param name="RowDifference">Between a logit of a row alone and in a batch, at most; 0 where all bits are equal.</param>
/// <param name="Accuracy">Exact answers of the shipped model, 0 to 1; null where it was not asked.</param>
internal sealed record LayoutRow(string Layout, bool IsBuilt, long FileBytes, IReadOnlyList<double> Decode, double Prefill, double RowDifference,
    double? Accuracy);
