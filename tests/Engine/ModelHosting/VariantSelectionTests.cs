using System.Globalization;
using R1Serverless.Abstractions;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Models;

namespace R1Serverless.Tests.Engine.ModelHosting;

public sealed class VariantSelectionTests
{
    /// <summary>
    /// Variants are written as in "fp32*=0/1000 int8=0.3/2398!0.2": an asterisk for a loaded one, drop and tokens per second with eight rows where it
    /// was measured, after an exclamation mark the tolerance of that measurement where it isn't 1.2.
    /// </summary>
    [Theory]
    // Named: that one, loaded or not, measured or not, beyond its tolerance or not.
    [InlineData("fp32* int8", "int8", 1.2, "int8", "named")]
    [InlineData("fp32*=0/1000 int8=9/2000", "int8", 1.2, "int8", "named")]
    [InlineData("fp32*=0/1000 int8=0.3/2000", "fp32", 1.2, "fp32", "named")]
    [InlineData("fp32* fp16", "int8", 1.2, null, "fp32, fp16, auto")]
    [InlineData("int4*", "fp32", 1.2, null, "int4, auto")]
    // Auto, nothing loaded: the fastest within both limits.
    [InlineData("fp32=0/1000 int8=0.3/2398 int4=0.9/3000", "auto", 1.2, "int4", "3,000 tokens/s, 0.9 points below fp32")]
    [InlineData("fp32=0/1000 int8=0.3/2398 int4=0.9/3000", "auto", 0.5, "int8", "2,398 tokens/s, 0.3 points below fp32")]
    [InlineData("fp32=0/1000 int8=0.3/2398 int4=0.9/3000", "auto", 0, "fp32", "1,000 tokens/s")]
    [InlineData("fp32=0/1000 fp16=0/600 int8=-0.21/2398", "auto", 0, "int8", "2,398 tokens/s, 0.2 points above fp32")]
    [InlineData("fp32=0/1000 int8=0.04/2398", "auto", 1.2, "int8", "2,398 tokens/s, as accurate as fp32")]
    [InlineData("fp32=0/1000 int8=0.3/900", "auto", 1.2, "fp32", "1,000 tokens/s")]
    // The request's limit is met exactly.
    [InlineData("fp32=0/1000 int8=1.2/2000", "auto", 1.2, "int8", "2,000 tokens/s, 1.2 points below fp32")]
    // Marked as beyond its tolerance: never, however much the request would give up.
    [InlineData("fp32=0/1000 int8=2/2000", "auto", 100, "fp32", "1,000 tokens/s")]
    [InlineData("fp32=0/1000 int8=0.3/2000!0.2", "auto", 1.2, "fp32", "1,000 tokens/s")]
    [InlineData("fp32=0/1000 int8*=2/2000", "auto", 5, "fp32", "1,000 tokens/s")]
    // What is loaded goes before what is faster; of several the fastest.
    [InlineData("fp32=0/1000 int8*=0.3/2000 int4=0.9/3000", "auto", 1.2, "int8", "loaded, 2,000 tokens/s, 0.3 points below fp32")]
    [InlineData("fp32*=0/1000 int8*=0.3/2000 int4=0.9/3000", "auto", 1.2, "int8", "loaded, 2,000 tokens/s, 0.3 points below fp32")]
    [InlineData("fp32=0/1000 int8*=0.3/2000", "auto", 0.1, "fp32", "1,000 tokens/s")]
    // Not measured: only the most exact there is, and only where nothing measured will do.
    [InlineData("fp32 int8*", "auto", 1.2, "fp32", "unmeasured")]
    [InlineData("int4 int8", "auto", 1.2, "int8", "unmeasured")]
    [InlineData("fp32 int8=0.3/2000", "auto", 1.2, "int8", "2,000 tokens/s, 0.3 points below fp32")]
    [InlineData("fp32 int8=0.3/2000", "auto", 0.1, "fp32", "none")]
    [InlineData("int8=1.1/2000 int4=0.9/3000!0.5", "auto", 0.1, "int8", "none")]
    [InlineData("int8=2/2000 int4", "auto", 1.2, "int4", "none")]
    [InlineData("int8=2/2000 int4*=3/3000", "auto", 100, null, "int8, int4")]
    [InlineData("fp32=0/1000 int8 int4", "auto", 100, "fp32", "1,000 tokens/s")]
    public void The_variant_and_the_reason(string variants, string precision, double maxDrop, string? chosen, string reason)
    {
        var selection = Choose(variants, "cpu", new PrecisionPreference(PrecisionName.Find(precision), maxDrop));
        Assert.Equal(chosen, selection.Variant is { } variant ? PrecisionName.Of(variant.Precision) : null);
        // An error names what there is, or why that is too little.
        if (chosen is null) Assert.Contains(reason, selection.Reason, StringComparison.Ordinal);
        else Assert.Equal(Sentence(reason, maxDrop), selection.Reason);
        if (chosen is null) Assert.Equal((InferenceErrorKind.InvalidRequest, "precision"), (selection.Error!.Kind, selection.Error.Field));
        else Assert.Null(selection.Error);
        Assert.All(selection.Reason, c => Assert.InRange(c, ' ', '~'));
    }

    private static string Sentence(string reason, double maxDrop) => reason switch
    {
        "named" => "named in the request",
        "unmeasured" => "not measured on this device: the most exact variant; `r1 model evaluate` measures",
        "none" => string.Create(CultureInfo.InvariantCulture, $"none measured within {maxDrop} points: the most exact variant"),
        _ when reason.StartsWith("loaded, ", StringComparison.Ordinal) =>
            string.Create(CultureInfo.InvariantCulture, $"fastest loaded within {maxDrop} points: {reason["loaded, ".Length..]}"),
        _ => string.Create(CultureInfo.InvariantCulture, $"fastest within {maxDrop} points: {reason}"),
    };

    [Fact]
    public void Another_devices_measurements_say_nothing() =>
        Assert.StartsWith("not measured on this device", Choose("fp32=0/1000 int8=0.3/2000", "cuda", new PrecisionPreference()).Reason,
            StringComparison.Ordinal);

    [Fact]
    public void The_servers_word_is_not_called_the_requests() =>
        Assert.Equal("this server's default", Choose("fp32 int8", "cpu", new PrecisionPreference(Precision.Int8) { IsServerDefault = true }).Reason);

    [Theory]
    [InlineData(new[] { 1, 8, 32 }, 8)]
    [InlineData(new[] { 1, 16, 32 }, 1)]
    [InlineData(new[] { 1, 10 }, 10)]
    [InlineData(new[] { 64 }, 64)]
    public void Speeds_are_compared_at_eight_rows_or_the_nearest_number(int[] rows, int counts)
    {
        var evaluation = Measured.On("cpu", 0, 0) with { TokensPerSecond = rows.ToDictionary(r => r, r => r * 100.0) };
        Assert.Equal(counts * 100.0, VariantSelection.Speed(evaluation));
    }

    [Fact]
    public void A_measurement_without_a_speed_is_none() =>
        Assert.Null(VariantSelection.Speed(Measured.On("cpu", 0, 0) with { TokensPerSecond = new Dictionary<int, double>() }));

    private static VariantSelection Choose(string variants, string device, PrecisionPreference preference)
    {
        var all = variants.Split(' ');
        ModelVariant[] parsed = [.. all.Select(Parse)];
        return VariantSelection.Choose("m", parsed, device, variant => all[Array.IndexOf(parsed, variant)].Contains('*', StringComparison.Ordinal),
            preference);
    }

    private static ModelVariant Parse(string text)
    {
        var (name, measured) = text.Split('=') is [var bare, var rest] ? (bare, rest) : (text, null);
        var variant = new ModelVariant(PrecisionName.Find(name.TrimEnd('*'))!.Value, $"{name}.onnx", null, 1);
        if (measured is null) return variant;
        var parts = measured.Split('/', '!');
        double[] numbers = [.. parts.Select(double.Parse)];
        return variant with { Evaluations = [Measured.On("cpu", numbers[0], numbers[1], numbers.Length > 2 ? numbers[2] : 1.2)] };
    }
}
