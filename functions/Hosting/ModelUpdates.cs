using System.Collections.Concurrent;
using R1Serverless.Generation;
using R1Serverless.Models;
using R1Serverless.Queues;
using R1Serverless.Requests;
using R1Serverless.Telemetry;

namespace R1Serverless.Hosting;

/// <summary>
/// Looks again and again which versions are active, and takes the models to them while they serve. A version that can't be fetched, loaded or accepted is shown with the reason,
/// and the one before serves on; whatever may pass by itself is tried again at the next look, all else when the version is activated again.
/// </summary>
/// <param name="usual">What requests get that name no precision.</param>
/// <param name="interval">Between two looks; each is up to a fifth earlier or later, so that many workers don't look at once.</param>
internal sealed partial class ModelUpdates(
    ModelDelivery delivery, IReadOnlyList<DeliveredModel> models, ModelHost host, PrecisionWish usual, TimeSpan interval, IProgress<string> progress, TimeProvider time) : IAsyncDisposable
{
    private const double Jitter = 0.2;

    private readonly Action<string> _warn = StartupReport.Warning(progress);
    private readonly CancellationTokenSource _stop = new();

    /// <summary>Models with versions that were refused before anything was measured.</summary>
    private readonly ConcurrentQueue<string> _uncounted = [];

    /// <summary>What was last said of a model, lest it be said at each look.</summary>
    private readonly ConcurrentDictionary<string, string> _said = new(StringComparer.Ordinal);

    /// <summary>When a version that found no room is worth another try, and by which tag it was active.</summary>
    private readonly ConcurrentDictionary<string, Postponed> _postponed = new(StringComparer.Ordinal);
    private Task _watching = Task.CompletedTask;
    private volatile bool _isStarted;

    /// <summary>The versions of a model; none where it is no repository's.</summary>
    public IReadOnlyList<ServedVersion> Versions(string model) => models.FirstOrDefault(one => one.Name == model)?.Versions ?? [];

    /// <summary>Ends, cancelled, when no version will be looked for any more.</summary>
    internal Task Watching => _watching;

    /// <summary>What serves serves on, and nothing takes its place any more. Does not wait: a load under way ends by itself.</summary>
    public void Stop() => _ = _stop.CancelAsync();

    /// <summary>To be called once, when the models serve and what happens is measured.</summary>
    public void Start()
    {
        foreach (DeliveredModel model in models.Where(one => IsLoaded(one) || !delivery.KnownNames.Contains(one.Name))) delivery.Remember(model.Name, model.Serving);
        _isStarted = true;
        while (_uncounted.TryDequeue(out string? model)) DeliveryInstruments.OnSwap(model, VersionStateName.Of(VersionState.Failed));
        _watching = Task.WhenAll(models.Select(model => WatchAsync(model, _stop.Token)));
    }

    /// <summary>Says what the start passed over; to be called before anything is loaded.</summary>
    public void TellRefused()
    {
        foreach (DeliveredModel model in models) TellRefused(model);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
        _goingBack.Dispose();
    }

    private async Task WatchAsync(DeliveredModel model, CancellationToken stop)
    {
        while (true)
        {
            await Task.Delay(interval * (1 - Jitter + 2 * Jitter * Random.Shared.NextDouble()), time, stop);
            try
            {
                await ProveAsync(model, stop);
                await LookAsync(model, stop);
            }
            catch (Exception fault) when (!stop.IsCancellationRequested)
            {
                // The repository is away, or the disk is full: what serves serves on, and the next look may find it mended.
                // Why a version was refused before stays as it was.
                if (model.Candidate is { State: not VersionState.Waiting } candidate && model.Tried != model.Tag) Fail(model, candidate.Version, fault.Message);
                else Say(model, $"{model.Name}: {fault.Message} {model.Serving.Version} is served meanwhile.");
            }
        }
    }

    private async Task LookAsync(DeliveredModel model, CancellationToken stop)
    {
        if (await delivery.Repository.FindActiveChangeAsync(model.Name, model.Tag, stop) is not var (active, tag))
        {
            _said.TryRemove(model.Name, out _);
            return;
        }

        if (active.Version == model.Serving.Version)
        {
            (model.Tag, model.Candidate) = (tag, null);
            model.Line = model.Line?.Renew(active);
            return;
        }

        if (_postponed.TryGetValue(model.Name, out Postponed? later) && later.Tag == tag && time.GetElapsedTime(later.Since) < later.For) return;
        // What a look tries again, as nothing but the repository or the disk was in the way, stays as it was said.
        if (model.Tried != tag) (model.Tried, model.Candidate) = (tag, new ServedVersion(active.Version, VersionState.Fetching, null));
        DeliveredVersion? next;
        try
        {
            next = await UnlessAnotherAsync(
                model.Name, tag, async until => await delivery.OpenAsync(model.Name, await delivery.FindAsync(model.Name, active.Version, until), until), stop);
        }
        catch (InvalidModelException fault)
        {
            Fail(model, active.Version, fault.Message);
            model.Tag = tag;
            return;
        }

        // The next look takes what was activated instead.
        if (next is null) return;
        SwapOutcome? outcome;
        try
        {
            // Another may have been activated while this one was fetched.
            if (await delivery.Repository.FindActiveChangeAsync(model.Name, tag, stop) is not null)
            {
                next.Dispose();
                return;
            }

            model.Candidate = new ServedVersion(active.Version, VersionState.Loading, null);
            bool isForward = next.Pushed > model.Serving.Pushed && !active.MayBeLessAccurate.Contains(active.Version);
            using IDisposable? attempt = delivery.Attempt(model.Name, next);
            outcome = await UnlessAnotherAsync(
                model.Name, tag, until => host.SwapAsync(next.Folder, usual, isForward, why => model.Candidate = new ServedVersion(next.Version, VersionState.Waiting, why), until), stop);
        }
        catch
        {
            next.Dispose();
            throw;
        }

        if (outcome is null)
        {
            next.Dispose();
            model.Candidate = null;
            return;
        }

        if (outcome is { Refusal: { } passing, RetryAfter: { } wait })
        {
            next.Dispose();
            model.Candidate = new ServedVersion(active.Version, VersionState.Waiting, passing);
            Say(model, $"{model.Name} {active.Version} is not served yet: {passing}. {model.Serving.Version} is served meanwhile.");
            _postponed[model.Name] = new Postponed(tag, time.GetTimestamp(), wait);
            return;
        }

        model.Tag = tag;
        if (outcome.Refusal is { } refusal)
        {
            next.Dispose();
            Fail(model, active.Version, refusal);
            return;
        }

        string before = model.Serving.Version;
        model.Take(next, outcome.Retired);
        model.Line = null;
        delivery.Remember(model.Name, next);
        DeliveryInstruments.OnSwap(model.Name, VersionStateName.Of(VersionState.Active));
        progress.Report($"{model.Name} {active.Version} takes requests now, activated by {active.By}; {before} finishes those it has.");
    }

    private bool IsLoaded(DeliveredModel model) => host.Status.Any(one => one.Loaded is not null && one.Folder.Name == model.Name);

    /// <summary>Null where yet another version was activated before this one was fetched, or took requests: that would hold the other one up, and be it the one that serves.</summary>
    private async Task<T?> UnlessAnotherAsync<T>(string model, string tag, Func<CancellationToken, Task<T>> action, CancellationToken stop)
        where T : class
    {
        using CancellationTokenSource off = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task watching = UntilAnotherAsync(model, tag, off);
        try
        {
            return await action(off.Token);
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return null;
        }
        finally
        {
            await off.CancelAsync();
            await watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task UntilAnotherAsync(string model, string tag, CancellationTokenSource off)
    {
        while (true)
        {
            await Task.Delay(interval, time, off.Token);
            try
            {
                if (await delivery.Repository.FindActiveChangeAsync(model, tag, off.Token) is null) continue;
                await off.CancelAsync();
                return;
            }
            catch (Exception) when (!off.IsCancellationRequested)
            {
                // A repository that is away has activated nothing; the next look at it says so.
            }
        }
    }

    private void Fail(DeliveredModel model, string version, string reason)
    {
        ServedVersion failed = new(version, VersionState.Failed, reason);
        // The same fault at each look is one.
        if (model.Candidate == failed) return;
        model.Candidate = failed;
        Lose(model, version, reason, $"{model.Serving.Version} stays.");
    }

    private void Lose(DeliveredModel model, string version, string reason, string instead)
    {
        if (_isStarted) DeliveryInstruments.OnSwap(model.Name, VersionStateName.Of(VersionState.Failed));
        else _uncounted.Enqueue(model.Name);
        _warn($"{model.Name} {version} is not served: {reason.TrimEnd('.')}. {instead}");
    }

    private void Say(DeliveredModel model, string line)
    {
        if (_said.TryGetValue(model.Name, out string? last) && last == line) return;
        _said[model.Name] = line;
        _warn(line);
    }

    private sealed record Postponed(string Tag, long Since, TimeSpan For);
}
