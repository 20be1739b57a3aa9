using R1Serverless.Delivery;
using R1Serverless.Generation;
using R1Serverless.Models;
using R1Serverless.Queues;

namespace R1Serverless.Hosting;

/// <summary>
/// The versions of a model that a start may serve: the active one, then those that were active before it. Each that can't be served leaves its place to the next one, and is kept with
/// the reason. One thread at a time.
/// </summary>
/// <param name="versions">The active one first.</param>
/// <param name="mayBeLessAccurate">Those that may answer fewer right than the one before them.</param>
internal sealed class VersionLine(ModelDelivery delivery, string model, IReadOnlyList<string> versions, IReadOnlySet<string> mayBeLessAccurate, StartRules rules)
{
    private readonly List<Entry> _left = [.. versions.Select(version => new Entry(version))];
    private readonly List<(string Version, string Reason)> _refused = [];
    private readonly HashSet<(string Version, string Reason)> _told = [];

    /// <summary>Those that stand behind another for their evaluations: they are to be asked again where that one goes.</summary>
    private IReadOnlyList<(string Version, string Reason)> _behind = [];
    private bool _isDescribed;

    /// <summary>The version that was to be served.</summary>
    public string Active => versions[0];

    /// <summary>What is refused of those that would have been served before another, and was not given by an earlier call.</summary>
    public IReadOnlyList<(string Version, string Reason)> TakeRefused(string before) =>
        [.. versions.TakeWhile(version => version != before).Reverse().Select(version => (version, ReasonOf(version)!)).Where(one => one.Item2 is not null && _told.Add(one))];

    /// <summary>Whether any is left that was not found to be of no use.</summary>
    public bool HasNext => _left.Count > 0;

    /// <summary>Whether nothing but the disk keeps the active version from being served: that may pass.</summary>
    public bool LacksRoom { get; private set; }

    /// <summary>Why a version is not served; null where nothing is said against it.</summary>
    public string? ReasonOf(string version) => _refused.Concat(_behind).FirstOrDefault(one => one.Version == version).Reason;

    /// <summary>The same versions by another word on what is active.</summary>
    public VersionLine Renew(ActiveVersion active) => new(delivery, model, active.Line, active.MayBeLessAccurate, rules);

    /// <summary>It is not to be served.</summary>
    public void Refuse(string version, string reason)
    {
        if (_left.RemoveAll(one => one.Version == version) > 0) _refused.Add((version, reason));
    }

    /// <summary>The first of those left that can be served, on this machine.</summary>
    /// <exception cref="TransportException">The repository can't be reached.</exception>
    /// <exception cref="InvalidModelException">There is none; the message has the reasons.</exception>
    public async Task<DeliveredVersion> OpenAsync(CancellationToken cancellationToken)
    {
        while (await ChooseAsync(cancellationToken) is { } next)
        {
            try
            {
                DeliveredVersion opened = await delivery.OpenAsync(model, next.Found!.Value, cancellationToken);
                if (Accepts(next, opened)) return opened;
                opened.Dispose();
            }
            catch (Exception fault) when (IsItsOwn(fault))
            {
                LacksRoom |= IsOfTheDisk(fault) && next.Version == Active;
                Refuse(next.Version, fault.Message);
            }
        }

        string[] reasons = [.. versions.Select(version => $"{version}: {ReasonOf(version)!.TrimEnd('.')}.")];
        throw new InvalidModelException(reasons.Length > 1
            ? $"No version of {model} can be served. {string.Join(' ', reasons)}"
            : $"{model} {Active} can't be served, and nothing was active before it: {ReasonOf(Active)}");
    }

    /// <summary>Whether its folder, now that it is here, says nothing against it.</summary>
    private bool Accepts(Entry next, DeliveredVersion opened)
    {
        if (rules.Misfit(model, opened.Folder.Manifest.Variants) is { } misfit)
        {
            Refuse(next.Version, misfit);
            return false;
        }

        if (next.Variants is not null) return true;
        next.Variants = opened.Folder.Manifest.Variants;
        return Judge() == next;
    }

    private async Task<Entry?> ChooseAsync(CancellationToken cancellationToken)
    {
        if (!_isDescribed)
        {
            await Task.WhenAll(_left.Select(one => FindAsync(one, cancellationToken)));
            // Only where there is a choice: what is alone says it all when it is here. One after the other, as some must be here to be asked, and that takes room.
            foreach (Entry one in _left.Where(one => _left.Count > 1 && one.Fault is null)) await DescribeAsync(one, cancellationToken);
            foreach (Entry one in _left.Where(one => one.Fault is not null).ToArray()) Refuse(one.Version, one.Fault!);
            _isDescribed = true;
        }

        return Judge();
    }

    /// <summary>What the evaluations say of those that are left.</summary>
    private Entry? Judge()
    {
        VersionChoice choice = rules.Choose(model, [.. _left.Select(one => new MeasuredVersion(one.Version, one.Found!.Value.Manifest.Pushed, one.Variants) { MayBeLessAccurate = mayBeLessAccurate.Contains(one.Version) })]);
        _behind = [.. choice.Refused.Select(one => (one.Version.Version, one.Reason))];
        return choice.Serves is { } serves ? _left.Find(one => one.Version == serves.Version) : null;
    }

    private Task FindAsync(Entry one, CancellationToken cancellationToken) =>
        TryAsync(one, async () =>
        {
            one.Found = await delivery.FindAsync(model, one.Version, cancellationToken);
            one.Fault = delivery.Danger(model, one.Found.Value.Key);
        });

    private Task DescribeAsync(Entry one, CancellationToken cancellationToken) => TryAsync(one, async () =>
    {
        one.Variants = await VariantsAsync(one.Found!.Value, cancellationToken);
        // What has no room need not come.
        if (one.Variants is not null) one.Fault = rules.Misfit(model, one.Variants);
    });

    private async Task TryAsync(Entry one, Func<Task> action)
    {
        try
        {
            await action();
        }
        catch (Exception fault) when (IsItsOwn(fault))
        {
            LacksRoom |= IsOfTheDisk(fault) && one.Version == Active;
            one.Fault = fault.Message;
        }
    }

    /// <summary>Whether a fault is a version's, whatever it is: the next one may do without it.</summary>
    private static bool IsItsOwn(Exception fault) => fault is not (TransportException or OperationCanceledException);

    private static bool IsOfTheDisk(Exception fault) => fault is IOException or UnauthorizedAccessException;

    private async Task<IReadOnlyList<ModelVariant>?> VariantsAsync((VersionManifest Manifest, string Key) found, CancellationToken cancellationToken)
    {
        if ((await delivery.Repository.DescribeAsync(found.Manifest, cancellationToken))?.Variants is { } variants) return variants;
        if (!found.Manifest.IsFoundAndMeasured) return null;
        using DeliveredVersion whole = await delivery.OpenAsync(model, found, cancellationToken);
        return whole.Folder.Manifest.Variants;
    }

    private sealed class Entry(string version)
    {
        public string Version => version;

        /// <summary>As the repository has it; null before it was asked.</summary>
        public (VersionManifest Manifest, string Key)? Found { get; set; }

        /// <summary>Null where only the folder says it.</summary>
        public IReadOnlyList<ModelVariant>? Variants { get; set; }

        public string? Fault { get; set; }
    }
}
