using System.Collections.Concurrent;
using Xunit.v3;

namespace R1Serverless.Tests.Limits;

/// <summary>Which tests run, and what became of the others.</summary>
internal sealed class RunLedger(TimeProvider time)
{
    private readonly ConcurrentDictionary<IXunitTest, RunningTest> _running = new();
    private readonly ConcurrentDictionary<string, int> _skipped = new(StringComparer.Ordinal);
    private readonly long _began = time.GetTimestamp();
    private long _changed = time.GetTimestamp();
    private int _passed, _failed;

    /// <summary>The limit that the run is over, as a sentence; null while it is over none.</summary>
    public string? Over(RunLimits limits) =>
        Elapsed > limits.Run ? $"The run is over its limit of {limits.Run.TotalSeconds:0} s."
        : time.GetElapsedTime(Volatile.Read(ref _changed)) > limits.Stall ? $"No test has begun or ended for {limits.Stall.TotalSeconds:0} s."
        : null;

    public RunningTest Begin(IXunitTest test)
    {
        RunningTest running = new(test.TestDisplayName, time);
        _running[test] = running;
        Change();
        return running;
    }

    public RunningTest? Running(IXunitTest test) => _running.GetValueOrDefault(test);

    public void End(IXunitTest test)
    {
        _running.TryRemove(test, out _);
        Change();
    }

    public void Passed() => Interlocked.Increment(ref _passed);

    public void Failed() => Interlocked.Increment(ref _failed);

    public void Skipped(string reason) => _skipped.AddOrUpdate(reason, 1, (_, count) => count + 1);

    /// <summary>Why tests were skipped, with how many each.</summary>
    public IEnumerable<string> Skips() => _skipped.OrderBy(one => one.Key, StringComparer.Ordinal).Select(one => $"Skipped {one.Value}: {one.Key}");

    /// <summary>The tests that run, with what each awaits.</summary>
    public IEnumerable<string> Running() => _running.Values.OrderByDescending(one => one.Elapsed).Select(one => one.Describe());

    /// <summary>In the runner's own words, for a run that it can't end: what still runs has failed.</summary>
    public string Summary()
    {
        int failed = _failed + Math.Max(1, _running.Count), skipped = _skipped.Values.Sum();
        return $"   R1Serverless.Tests  Total: {_passed + failed + skipped}, Errors: 0, Failed: {failed}, Skipped: {skipped}, Not Run: 0, Time: "
            + $"{Elapsed.TotalSeconds:0.000}s";
    }

    private TimeSpan Elapsed => time.GetElapsedTime(_began);

    private void Change() => Volatile.Write(ref _changed, time.GetTimestamp());
}
