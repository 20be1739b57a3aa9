using R1Serverless.Queues;

namespace R1Serverless.Hosting;

/// <summary>A model that comes from a repository, as it stands on this machine. One writer; any thread may look.</summary>
/// <param name="serving">What serves; disposed when another has taken its place and nothing runs in it.</param>
/// <param name="line">What may be served in its place where it does not load.</param>
/// <param name="tag">Of the repository's word on what is active, as it was last acted upon.</param>
internal sealed class DeliveredModel(string name, DeliveredVersion serving, VersionLine line, string tag) : IDisposable
{
    /// <summary>A tag that no word has: the next look acts upon whatever is active.</summary>
    public const string NoTag = "0";

    private readonly Lock _gate = new();
    private readonly List<DeliveredVersion> _retiring = [];
    private DeliveredVersion _serving = serving;
    private ServedVersion? _candidate;

    public string Name => name;

    public DeliveredVersion Serving
    {
        get
        {
            lock (_gate) return _serving;
        }
    }

    /// <summary>Only where nothing of what serves was loaded yet, and it may still prove to be no good.</summary>
    public VersionLine? Line { get; set; } = line;

    /// <summary>A full disk may have room at the next look.</summary>
    public string Tag { get; set; } = line.LacksRoom && serving.Version != line.Active ? NoTag : tag;

    /// <summary>The same as it was last tried to act upon; another than <see cref="Tag"/> while that goes on.</summary>
    public string Tried { get; set; } = tag;

    /// <summary>The version that was to be served and is not, or not yet.</summary>
    public ServedVersion? Candidate
    {
        get
        {
            lock (_gate) return _candidate;
        }

        set
        {
            lock (_gate) _candidate = value;
        }
    }

    /// <summary>The one that serves first.</summary>
    public IReadOnlyList<ServedVersion> Versions
    {
        get
        {
            lock (_gate)
            {
                IEnumerable<ServedVersion> all = [
                    new ServedVersion(_serving.Version, VersionState.Active, null), .. _candidate is null ? [] : (ServedVersion[])[_candidate],
                    .. _retiring.Select(one => new ServedVersion(one.Version, VersionState.Retiring, null))];
                return [.. all];
            }
        }
    }

    /// <summary>Another serves from now on.</summary>
    /// <param name="retired">Ends when nothing of the one before is in memory any more.</param>
    public void Take(DeliveredVersion next, Task retired)
    {
        DeliveredVersion before;
        lock (_gate)
        {
            before = _serving;
            (_serving, _candidate) = (next, null);
            _retiring.Add(before);
        }

        _ = RetireAsync(before, retired);
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _serving.Dispose();
            foreach (DeliveredVersion one in _retiring) one.Dispose();
        }
    }

    private async Task RetireAsync(DeliveredVersion before, Task retired)
    {
        await retired;
        lock (_gate)
        {
            _retiring.Remove(before);
            before.Dispose();
        }
    }
}
