using Microsoft.Extensions.Time.Testing;
using R1Serverless.Delivery;

namespace R1Serverless.Tests.Delivery;

/// <summary>Loads that ended with their process.</summary>
public sealed class LoadAttemptsTests : IDisposable
{
    private const string Key = "0123";

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-attempts-").FullName;
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());

    private LoadAttempts Attempts => new(_folder, _time);

    [Fact]
    public void One_that_ended_or_is_under_way_counts_for_nothing()
    {
        using (Attempts.Begin("m", Key))
        {
            Assert.Null(Attempts.Begin("m", Key));
            Assert.Equal(0, Attempts.CountLost("m", Key));
        }

        Assert.Equal(0, Attempts.CountLost("m", Key));
        Assert.Empty(Directory.EnumerateFiles(_folder));
    }

    [Fact]
    public void What_dead_processes_left_counts_for_an_hour_and_until_a_load_went_well()
    {
        Lose("m", Key, 2);
        Lose("m", "4567", 1);
        Assert.Equal((2, 1, 0), (Attempts.CountLost("m", Key), Attempts.CountLost("m", "4567"), Attempts.CountLost("other", Key)));
        Attempts.Forget("m", Key);
        Assert.Equal((0, 1), (Attempts.CountLost("m", Key), Attempts.CountLost("m", "4567")));
        _time.Advance(TimeSpan.FromMinutes(61));
        Assert.Equal(0, Attempts.CountLost("m", "4567"));
        Assert.Empty(Directory.EnumerateFiles(_folder));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private void Lose(string model, string key, int processes)
    {
        for (int i = 0; i < processes; i++) File.WriteAllText(Path.Combine(_folder, $"{model}.{key}.{i}.trying"), "");
    }
}
