using R1Serverless.Abstractions.Threading;

namespace R1Serverless.Queues;

/// <summary>The beginnings of prompts that a worker ran lately, by which gateways send it those that begin alike. Safe for several
/// threads.</summary>
/// <param name="worker">How the worker is called: see <see cref="Transport.WorkerId"/>.</param>
public sealed class WorkerPrefixes(string worker, TimeProvider time)
{
    /// <summary>Names that are remembered; the least recently used leave. They take 4 KB in a registration.</summary>
    public const int Most = 256;

    /// <summary>So long others leave a request to the worker that it names; what one that has just died costs those that name it.</summary>
    public static readonly TimeSpan HeadStart = TimeSpan.FromMilliseconds(200);

    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<string, long> _used = new(StringComparer.Ordinal);

    public string Worker => worker;

    /// <summary>Set when there is one more.</summary>
    public AsyncSignal Changes { get; } = new();

    /// <summary>A request is about to run here.</summary>
    public void OnLeased(QueuedRequest message)
    {
        if (message.Worker is { } named) QueueInstruments.OnPrefixLeased(isNamed: named == worker);
        Add(message.Prefixes ?? []);
    }

    public void Add(IReadOnlyList<string> prefixes)
    {
        var isNew = false;
        lock (_gate)
        {
            var now = time.GetTimestamp();
            foreach (var prefix in prefixes.Take(PrefixHashes.Most))
            {
                isNew |= !_used.ContainsKey(prefix);
                _used[prefix] = now;
            }

            while (_used.Count > Most) _used.Remove(_used.MinBy(one => one.Value).Key);
        }

        if (isNew) Changes.Set();
    }

    public bool Contains(string prefix)
    {
        lock (_gate) return _used.ContainsKey(prefix);
    }

    public IReadOnlyList<string> List()
    {
        lock (_gate)
        {
            foreach (var (prefix, at) in _used.ToArray())
            {
                if (time.GetElapsedTime(at) > Longest) _used.Remove(prefix);
            }

            return [.. _used.Keys];
        }
    }
}
