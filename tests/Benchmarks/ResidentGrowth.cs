namespace R1Serverless.Tests.Benchmarks;

/// <summary>How much this process's resident memory has grown while one of the ways it measures was at work: opening and runs, added up.</summary>
internal sealed class ResidentGrowth
{
    private long _bytes;

    /// <summary>Never negative: the system may take back more than a way has taken.</summary>
    public long Bytes => Math.Max(0, _bytes);

    public T Of<T>(Func<T> work)
    {
        var before = Environment.WorkingSet;
        var result = work();
        _bytes += Environment.WorkingSet - before;
        return result;
    }

    public async Task<T> OfAsync<T>(Func<Task<T>> work)
    {
        var before = Environment.WorkingSet;
        var result = await work();
        _bytes += Environment.WorkingSet - before;
        return result;
    }
}
