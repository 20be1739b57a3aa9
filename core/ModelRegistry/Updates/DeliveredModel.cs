using R1Serverless.Abstractions;

namespace R1Serverless.ModelRegistry.Updates;

/// <summary>A model that comes from a repository, as it stands on this machine. One writer; any thread may read.</summary>
/// <param name="serving">What serves; disposed when another has taken its place and nothing runs in it.</param>
/// <param name="tag">The tag of the repository's active version, as it was last acted upon.</param>
internal sealed class DeliveredModel(string name, DeliveredVersion serving, string tag) : IDisposable
{
    /// <summary>A tag that no object has: the next look acts upon whatever is active.</summary>
    public const string NoTag = "0";

    private readonly Lock _gate = new();
    private readonly List<DeliveredVersion> _retiring = [];
    private volatile DeliveredVersion _serving = serving;
    private volatile ServedVersion? _candidate;

    public string Name => name;

    public DeliveredVersion Serving => _serving;

    public string Tag { get; set; } = tag;

    /// <summary>The tag that was last tried; another than <see cref="Tag"/> while that goes on.</summary>
    public string Tried { get; set; } = tag;

    /// <summary>What the operator was last told, so that it isn't repeated at each look.</summary>
    public string? Told { get; set; }

    /// <summary>When a version that found no room is worth another try.</summary>
    public Postponement? Postponed { get; set; }

    /// <summary>The version that was to be served and is not, or not yet.</summary>
    public ServedVersion? Candidate
    {
        get => _candidate;
        set => _candidate = value;
    }

    /// <summary>The one that serves first.</summary>
    public IReadOnlyList<ServedVersion> Versions
    {
        get
        {
            lock (_gate)
            {
                return [
                    new ServedVersion(_serving.Version, VersionState.Active, null),
                    .. _candidate is { } candidate ? (ServedVersion[])[candidate] : [],
                    .. _retiring.Select(one => new ServedVersion(one.Version, VersionState.Retiring, null))];
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
            foreach (var one in _retiring) one.Dispose();
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

    /// <param name="Tag">By which the version was active.</param>
    /// <param name="Since">A timestamp.</param>
    public sealed record Postponement(string Tag, long Since, TimeSpan For);
}
