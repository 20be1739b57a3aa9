using R1Serverless.Delivery;
using R1Serverless.Hosting;
using R1Serverless.Models;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Hosting;

/// <summary>Versions that processes were lost over, and those whose poorer answers are wanted.</summary>
public sealed partial class DeliveredStartTests
{
    private string Served => Path.Combine(DataFolder.Cache(_folder), "served", RepositoryAddress.Parse(Repository).Key);

    [Fact]
    public async Task A_version_that_three_processes_ended_over_leaves_the_one_before()
    {
        await PushAsync("m", "1");
        await PushAsync("m", "2");
        SharedRepository repository = await RepositoryAddress.Parse(Repository).OpenAsync(TimeProvider.System, None);
        string key = (await repository.FindAsync("m", "2", None))!.Value.Key;
        Directory.CreateDirectory(Served);
        for (int i = 0; i < 2; i++) File.WriteAllText(Path.Combine(Served, $"m.{key}.{i}.trying"), "");
        await using (Started twice = await StartAsync(new ServeOptions())) Assert.Equal([("2", VersionState.Active)], twice.Versions("m"));
        // It was loaded: what was lost before says nothing any more.
        Assert.Empty(Directory.EnumerateFiles(Served, "*.trying"));

        for (int i = 0; i < 3; i++) File.WriteAllText(Path.Combine(Served, $"m.{key}.{i}.trying"), "");
        await using Started thrice = await StartAsync(new ServeOptions());
        Assert.Equal([("1", VersionState.Active), ("2", VersionState.Failed)], thrice.Versions("m"));
        Assert.Contains(_said.Lines, line => line.StartsWith("m 2 is not served: 3 processes ended while they loaded it", StringComparison.Ordinal));
    }

    [Fact]
    public async Task While_a_first_load_lasts_it_is_noted_and_no_longer()
    {
        await PushAsync("m", "1");
        int during = 0;
        _said.OnLine = line =>
        {
            if (line.StartsWith("Loaded m", StringComparison.Ordinal)) during = Directory.GetFiles(Served, "*.trying").Length;
        };
        await StartAndStopAsync(new ServeOptions());
        Assert.Equal((1, 0), (during, Directory.GetFiles(Served, "*.trying").Length));
        await StartAndStopAsync(new ServeOptions());
        Assert.Equal(0, during);
    }

    [Fact]
    public async Task A_version_that_may_be_less_accurate_takes_over_at_a_start_too()
    {
        await PushAsync("m", "1", variant => Accurate(variant, 0.95));
        await PushAsync("m", "2", variant => Accurate(variant, 0.5));
        SharedRepository repository = await RepositoryAddress.Parse(Repository).OpenAsync(TimeProvider.System, None);
        await repository.ActivateAsync("m", "2", "tester", DateTimeOffset.UnixEpoch, None, mayBeLessAccurate: true);
        await using Started started = await StartAsync(new ServeOptions());
        Assert.Equal([("2", VersionState.Active)], started.Versions("m"));
    }
}
