namespace R1Serverless.ModelBuilder.Quantization;

/// <summary>A format with scales, which are known once all rows are written.</summary>
internal interface IScaled
{
    IReadOnlyList<long> ScaleShape(long rows, long width);

    /// <summary>The scales of the rows written, given away: a large model's would add up.</summary>
    float[] TakeScales();
}
