using R1Serverless.Generation;
using R1Serverless.Models;
using R1Serverless.Requests;

namespace R1Serverless.Tests.Generation;

/// <summary>What a process serves that saw none of the versions come.</summary>
public sealed class VersionChoiceTests
{
    private static readonly PrecisionWish Usual = new() { IsServerDefault = true };

    [Fact]
    public void What_the_others_refused_is_refused_however_many_came_after_one_another()
    {
        // Each a little better than the one before, which nobody served.
        var choice = Choose(Of("3", 3, 0.7), Of("2", 2, 0.6), Of("1", 1, 0.95));
        Assert.Equal("1", choice.Serves!.Version);
        Assert.Equal(["2", "3"], choice.Refused.Select(one => one.Version.Version));
        Assert.Contains("25 points below the version that serves", choice.Refused[1].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_the_better_one_is_gone_it_is_compared_with_the_one_before() => Assert.Equal("3", Choose(Of("3", 3, 0.7), Of("1", 1, 0.7)).Serves!.Version);

    [Fact]
    public void The_way_back_to_an_older_version_is_open() => Assert.Equal("1", Choose(Of("1", 1, 0.6), Of("2", 2, 0.95)).Serves!.Version);

    [Fact]
    public void What_was_refused_before_the_one_that_serves_came_says_nothing()
    {
        var choice = Choose(Of("3", 3, 0.95), Of("2", 2, 0.6), Of("1", 1, 0.95));
        Assert.Equal("3", choice.Serves!.Version);
        Assert.Empty(choice.Refused);
    }

    [Fact]
    public void Of_what_nothing_is_known_nothing_is_refused()
    {
        Assert.Equal("2", Choose(new MeasuredVersion("2", At(2), null), Of("1", 1, 0.95)).Serves!.Version);
        Assert.Equal("2", Choose(Of("2", 2, 0.5), new MeasuredVersion("1", At(1), null)).Serves!.Version);
    }

    [Fact]
    public void None_serves_where_each_is_beyond_its_own_tolerance()
    {
        var choice = Choose(Of("2", 2, 0.9, drop: 5), Of("1", 1, 0.9, drop: 5));
        Assert.Null(choice.Serves);
        Assert.Equal(2, choice.Refused.Count);
    }

    private static VersionChoice Choose(params MeasuredVersion[] versions) => VersionChoice.Of("m", versions, _ => [], "cpu", Usual);

    private static MeasuredVersion Of(string version, int pushed, double accuracy, double drop = 0) =>
        new(version, At(pushed), [new ModelVariant(Precision.Fp32, "fp32.onnx", null, 100) { Evaluations = [Measured.On("cpu", drop, 1000) with { Accuracy = accuracy }] }]);

    private static DateTimeOffset At(int pushed) => DateTimeOffset.UnixEpoch.AddDays(pushed);
}
