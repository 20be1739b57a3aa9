namespace R1Serverless.Models;

/// <summary>How a variant keeps the keys and values of the tokens it has seen.</summary>
public enum KvFormat
{
    /// <summary>In the type that its attention computes in: float16 in FP16, else float32.</summary>
    Auto,

    /// <summary>In 8 bits, with a scale for each channel that was calibrated when the variant was built.</summary>
    Int8,
}
