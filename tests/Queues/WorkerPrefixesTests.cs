using System.Text.Json;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues;

public sealed class WorkerPrefixesTests
{
    private readonly WatchedTime _time = new();
    private readonly WorkerPrefixes _prefixes;

    public WorkerPrefixesTests() => _prefixes = new WorkerPrefixes("w", _time);

    [Fact]
    public void The_least_recently_used_leave_and_all_take_four_kilobytes()
    {
        for (var i = 0; i < 300; i++)
        {
            _prefixes.Add([Name(i), Name(0)]);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        var left = _prefixes.List();
        Assert.Equal(WorkerPrefixes.Most, left.Count);
        Assert.Contains(Name(0), left);
        Assert.Contains(Name(299), left);
        Assert.DoesNotContain(Name(1), left);
        Assert.InRange(JsonSerializer.Serialize(left).Length, 1, 4096);
    }

    [Fact]
    public void After_an_hour_a_beginning_is_forgotten_and_only_new_ones_are_news()
    {
        _prefixes.Add(["a"]);
        Assert.Equal(1, _prefixes.Changes.Version);
        _time.Advance(TimeSpan.FromMinutes(40));
        _prefixes.Add(["a"]);
        Assert.Equal(1, _prefixes.Changes.Version);
        _prefixes.Add(["b"]);
        Assert.Equal(2, _prefixes.Changes.Version);
        _time.Advance(TimeSpan.FromMinutes(40));
        _prefixes.Add(["b"]);
        _time.Advance(TimeSpan.FromMinutes(40));
        Assert.Equal(["b"], _prefixes.List());
        Assert.True(_prefixes.Contains("b"));
        Assert.False(_prefixes.Contains("a"));
    }

    private static string Name(int i) => $"{i:D11}";
}
