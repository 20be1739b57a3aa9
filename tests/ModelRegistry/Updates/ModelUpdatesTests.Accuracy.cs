using R1Serverless.Abstractions;

namespace R1Serverless.Tests.ModelRegistry.Updates;

/// <summary>Versions that answer fewer right than the one that serves.</summary>
public sealed partial class ModelUpdatesTests
{
    [Theory]
    [InlineData(false, "1")]
    [InlineData(true, "2")]
    public async Task A_version_that_answers_fewer_right_takes_over_only_where_that_was_said(bool mayBeLessAccurate, string serves)
    {
        await StartAsync("1", accuracy: 0.95);
        await ActivateAsync("2", accuracy: 0.5, mayBeLessAccurate: mayBeLessAccurate);
        await LooksUntilAsync(
            () => Versions.Any(one => one.Version == "2" && one.State != VersionState.Fetching && one.State != VersionState.Loading));
        Assert.Equal(serves, _model!.Serving.Version);
        if (!mayBeLessAccurate)
            Assert.Contains("45 points below the version that serves", _updates!.Versions(Model)[1].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_way_back_to_a_version_that_answers_fewer_right_is_open()
    {
        await ActivateAsync("1", accuracy: 0.5);
        await StartAsync("2", accuracy: 0.95);
        Assert.Equal([("2", VersionState.Active)], Versions);
        await _world.Repository.ActivateAsync(Model, "1", "tester", DateTimeOffset.UnixEpoch, None);
        await LooksUntilAsync(() => Versions.SequenceEqual([("1", VersionState.Active)]));
    }
}
