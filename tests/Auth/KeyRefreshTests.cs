using System.Text;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Auth;

namespace R1Serverless.Tests.Auth;

public sealed class KeyRefreshTests
{
    private readonly FakeKeySource _source = new();
    private readonly FakeTimeProvider _time = new();
    private readonly Reports _reports = new();
    private readonly CapturedLog<KeyRefresh> _log = new();
    private readonly ActiveKeys _current = new([], hasSource: true);

    [Fact]
    public async Task A_new_version_counts_and_a_broken_one_changes_nothing()
    {
        using var refresh = Refresh();
        _source.Keys = [KeyRingTests.Key("a", "one")];
        await refresh.LookAsync(CancellationToken.None);
        await refresh.LookAsync(CancellationToken.None);
        Assert.Equal(["Keys: 1 from the test"], _reports.Said);

        var good = _source.Content;
        foreach (var broken in (string[])["", """{"version":1,"keys":[{"sha256":"r1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"""])
        {
            _source.Content = Encoding.UTF8.GetBytes(broken);
            await refresh.LookAsync(CancellationToken.None);
            await refresh.LookAsync(CancellationToken.None);
            Assert.Equal("a", _current.Ring.Find("one", _time.GetUtcNow())?.Name);
        }

        _source.Content = null;
        await refresh.LookAsync(CancellationToken.None);
        _source.Fault = "it is on fire";
        await refresh.LookAsync(CancellationToken.None);
        Assert.Equal("a", _current.Ring.Find("one", _time.GetUtcNow())?.Name);
        Assert.Equal(4, _log.Messages.Count);
        Assert.All(_log.Messages,
            message => Assert.StartsWith("The keys in the test can't be used, the 1 known before go on: ", message, StringComparison.Ordinal));
        Assert.DoesNotContain("r1_", string.Concat(_log.Messages), StringComparison.Ordinal);

        (_source.Fault, _source.Content) = (null, good);
        await refresh.LookAsync(CancellationToken.None);
        _source.Keys = [];
        await refresh.LookAsync(CancellationToken.None);
        Assert.Null(_current.Ring.Find("one", _time.GetUtcNow()));
        Assert.Equal("Keys: 0 from the test", _reports.Said[^1]);
    }

    [Fact]
    public async Task Looks_again_each_interval()
    {
        using var refresh = Refresh();
        _source.Fault = "not yet";
        await refresh.StartAsync(CancellationToken.None);
        await Eventually.HoldsAsync(() => _log.Messages.Count > 0, "a word about what failed");
        _source.Fault = null;
        _source.Keys = [KeyRingTests.Key("a", "one")];
        await PassUntilAsync(() => _current.Loaded.IsCompleted, "the first keys");
        _source.Keys = [KeyRingTests.Key("b", "two")];
        await PassUntilAsync(() => _current.Ring.Find("two", _time.GetUtcNow()) is not null, "the next keys");
        await refresh.StopAsync(CancellationToken.None);
    }

    /// <summary>Interval by interval, as the loop may still be on its way to its wait.</summary>
    private Task PassUntilAsync(Func<bool> holds, string what) => Eventually.HoldsAsync(
        () =>
        {
            _time.Advance(_source.Interval);
            return holds();
        },
        what);

    private KeyRefresh Refresh() => new(_current, _source, _reports, _time, _log);

    private sealed class Reports : IProgress<string>
    {
        public List<string> Said { get; } = [];

        public void Report(string value) => Said.Add(value);
    }
}
