namespace R1Serverless.Abstractions;

/// <summary>The number format of a variant's weights, from the most exact to the smallest.</summary>
public enum Precision
{
    Fp32,
    Fp16,
    Int8,
    Int4,
}
