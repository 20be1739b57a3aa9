using R1Serverless.Abstractions;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Models;

namespace R1Serverless.Tests.Engine.ModelHosting;

/// <summary>Which versions may take a model over.</summary>
public sealed class VersionGateTests
{
    private static readonly PrecisionPreference Auto = new() { IsServerDefault = true };

    [Fact]
    public void What_was_not_measured_may_come_and_loads_what_was_loaded()
    {
        var (wanted, refusal) = Judge([Of(Precision.Fp32), Of(Precision.Int8), Of(Precision.Int4)], [Of(Precision.Fp32)], [Precision.Int8]);
        Assert.Null(refusal);
        Assert.Equal([Precision.Fp32, Precision.Int8], wanted.Select(one => one.Precision));
    }

    [Fact]
    public void What_a_manifest_marks_is_loaded_once_also_where_it_was_loaded() =>
        Assert.Equal(
            [Precision.Fp32, Precision.Int8, Precision.Int4],
            Judge([Of(Precision.Fp32) with { Preload = true }, Of(Precision.Fp16), Of(Precision.Int8) with { Preload = true }, Of(Precision.Int4)],
            [Of(Precision.Fp32)], [Precision.Int8, Precision.Int4])
                .Wanted.Select(one => one.Precision));

    [Theory]
    [InlineData(0.0, null)]
    [InlineData(1.1, null)]
    [InlineData(1.3, "97.7 %")]
    public void A_newer_version_may_be_no_less_accurate_than_its_tolerance_allows(double worse, string? percent)
    {
        var refusal = Judge([Of(Precision.Fp32, accuracy: 0.99 - worse / 100)], [Of(Precision.Fp32, accuracy: 0.99)], [Precision.Fp32]).Refusal;
        Assert.Equal(percent is null, refusal is null);
        Assert.Contains(percent ?? "", refusal ?? "", StringComparison.Ordinal);
    }

    [Fact]
    public void A_return_to_an_older_version_is_not_compared() =>
        Assert.Null(Judge([Of(Precision.Fp32, accuracy: 0.5)], [Of(Precision.Fp32, accuracy: 0.99)], [Precision.Fp32], isForward: false).Refusal);

    [Fact]
    public void A_version_beyond_its_own_tolerance_is_refused_however_it_comes()
    {
        var beyond = Of(Precision.Int8, accuracy: 0.9, drop: 5);
        foreach (var isForward in (bool[])[true, false])
        {
            Assert.Contains("'auto' has nothing to choose", Judge([beyond], [Of(Precision.Int8)], [], isForward: isForward).Refusal,
                StringComparison.Ordinal);
            Assert.Equal("its int8 variant is 5 points below fp32, and 1.2 are tolerated",
                Judge([beyond], [Of(Precision.Int8)], [], new PrecisionPreference(Precision.Int8), isForward).Refusal);
        }
    }

    [Fact]
    public void A_version_without_the_servers_precision_is_refused() =>
        Assert.Contains("has no int8 variant",
            Judge([Of(Precision.Fp32)], [Of(Precision.Int8)], [Precision.Int8], new PrecisionPreference(Precision.Int8)).Refusal,
            StringComparison.Ordinal);

    private static (IReadOnlyList<ModelVariant> Wanted, string? Refusal) Judge(
        IReadOnlyList<ModelVariant> next, IReadOnlyList<ModelVariant> current, Precision[] loaded, PrecisionPreference? usual = null,
        bool isForward = true) =>
        VersionGate.Judge("m", next, current, loaded, "cpu", usual ?? Auto, isForward, loadsMarked: true);

    private static ModelVariant Of(Precision precision, double? accuracy = null, double drop = 0) => new(precision, $"{precision}.onnx", null, 100)
    {
        Evaluations = accuracy is { } right ? [Measured.On("cpu", drop, 1000) with { Accuracy = right }] : [],
    };
}
