using System.Text;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Access;

namespace R1Serverless.Tests.Access;

public sealed class KeyRefreshTests
{
    private readonly FakeKeySource _source = new();
    private readonly FakeTimeProvider _time = new();
    private readonly Reports _reports = new();
    private readonly CapturedLog<KeyRefresh> _log = new();
    private readonly CurrentKeys _current = new([], hasSource: true);

    [Fact]
    public async Task A_new_version_counts_and_a_broken_one_changes_nothing()
    {
        using KeyRefresh refresh = Refresh();
        _source.Keys = [KeyRingTests.Key("a", "one")];
        await refresh.LookAsync(CancellationToken.None);
        await refresh.LookAsync(CancellationToken.None);
        Assert.Equal(["Keys: 1 from the test"], _reports.Said);

        ReadOnlyMemory<byte>? good = _source.Content;
        foreach (string broken in (string[])["", """{"version":1,"keys":[{"sha256":"r1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"""])
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
        Assert.All(_log.Messages, message => Assert.StartsWith("The keys in the test can't be used, the 1 known before go on: ", message, StringComparison.Ordinal));
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
        using KeyRefresh refresh = Refresh();
        _source.Fault = "not yet";
        await refresh.StartAsync(CancellationToken.None);
        await Eventually.HoldsAsync(() => _log.Messages.Count > 0, "a word about what failed");
        _source.Fault = null;
        _source.Keys = [KeyRingTests.Key("a", "one")];
        while (!_current.Loaded.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        _source.Keys = [KeyRingTests.Key("b", "two")];
        while (_current.Ring.Find("two", _time.GetUtcNow()) is null)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        await refresh.StopAsync(CancellationToken.None);
    }

    private KeyRefresh Refresh() => new(_current, _source, _reports, _time, _log);

    private sealed class Reports : IProgress<string>
    {
        public List<string> Said { get; } = [];

        public void Report(string value) => Said.Add(value);
    }
}
