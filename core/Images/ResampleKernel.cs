using R1Serverless.Models.Images;

namespace R1Serverless.Images;

/// <summary>How much a pixel counts at a distance from the middle of the window, as Pillow has it.</summary>
internal static class ResampleKernel
{
    private const double CubicA = -0.5;

    /// <summary>The distance beyond which nothing counts.</summary>
    public static double Support(ResampleFilter filter) => filter switch
    {
        ResampleFilter.Box => 0.5,
        ResampleFilter.Bilinear or ResampleFilter.Hamming => 1,
        ResampleFilter.Bicubic => 2,
        ResampleFilter.Lanczos => 3,
        _ => throw new ArgumentOutOfRangeException(nameof(filter)),
    };

    public static double Value(ResampleFilter filter, double at) => filter switch
    {
        ResampleFilter.Box => at is > -0.5 and <= 0.5 ? 1 : 0,
        ResampleFilter.Bilinear => Math.Max(1 - Math.Abs(at), 0),
        ResampleFilter.Hamming => Hamming(Math.Abs(at)),
        ResampleFilter.Bicubic => Bicubic(Math.Abs(at)),
        ResampleFilter.Lanczos => at is >= -3 and < 3 ? Sinc(at) * Sinc(at / 3) : 0,
        _ => throw new ArgumentOutOfRangeException(nameof(filter)),
    };

    private static double Hamming(double at) =>
        at == 0 ? 1 : at >= 1 ? 0 : Math.Sin(at * Math.PI) / (at * Math.PI) * (0.54f + (0.46f * Math.Cos(at * Math.PI)));

    private static double Bicubic(double at) =>
        at < 1 ? (((((CubicA + 2) * at) - (CubicA + 3)) * at * at) + 1) : at < 2 ? ((((at - 5) * at) + 8) * at - 4) * CubicA : 0;

    private static double Sinc(double at) => at == 0 ? 1 : Math.Sin(at * Math.PI) / (at * Math.PI);
}
