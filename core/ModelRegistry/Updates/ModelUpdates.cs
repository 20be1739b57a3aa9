using R1Serverless.Abstractions;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Models;

namespace R1Serverless.ModelRegistry.Updates;

/// <summary>
/// Looks again and again which versions are active, and takes the models to them while they serve. A version that can't be fetched, loaded or
/// accepted is shown with the reason, and the one before serves on; what may pass by itself is tried again at the next look, all else when it is
/// activated again.
/// </summary>
public sealed class ModelUpdates : IAsyncDisposable
{
    /// <summary>Looks are up to a fifth earlier or later, so that many workers don't look at once.</summary>
    private const double Jitter = 0.2;

    private readonly VersionDelivery _delivery;
    private readonly IReadOnlyList<DeliveredModel> _models;
    private readonly ModelHost _host;
    private readonly PrecisionPreference _usual;
    private readonly TimeSpan _interval;
    private readonly IProgress<string> _progress;
    private readonly Action<string> _warn;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _goingBack = new(1);
    private Task _watching = Task.CompletedTask;

    internal ModelUpdates(
        VersionDelivery delivery,
        IReadOnlyList<DeliveredModel> models,
        ModelHost host,
        StartRules rules,
        TimeSpan interval,
        IProgress<string> progress)
    {
        (_delivery, _models, _host, _usual, _interval, _progress) = (delivery, models, host, rules.Usual, interval, progress);
        _warn = rules.Limits.Warn ?? progress.Report;
    }

    /// <summary>Ends, cancelled, when no version will be looked for any more.</summary>
    internal Task Watching => _watching;

    /// <summary>The versions of a model; none where it is no repository's.</summary>
    public IReadOnlyList<ServedVersion> Versions(string model) => Find(model)?.Versions ?? [];

    /// <summary>
    /// Loads a variant at the start; where that fails, of the version that this machine served last. To be called before <see cref="Start"/>, for
    /// several variants and models at once.
    /// </summary>
    /// <exception cref="Exception">The load's own fault, where no other version was served last or that one does not load either.</exception>
    public async Task LoadAsync(string name, PrecisionPreference preference, CancellationToken cancellationToken)
    {
        var model = Find(name);
        var tried = model?.Serving;
        try
        {
            await _host.LoadAsync(name, Fit(preference, tried), cancellationToken);
        }
        catch (Exception fault) when (tried is not null && !cancellationToken.IsCancellationRequested)
        {
            if (!await TryGoBackAsync(model!, tried, fault.Message, cancellationToken)) throw;
            await _host.LoadAsync(name, Fit(preference, model!.Serving), cancellationToken);
        }
    }

    /// <summary>To be called once, when the models serve and what happens is measured.</summary>
    public void Start()
    {
        foreach (var model in _models.Where(one => one.Candidate?.State == VersionState.Failed)) Count(model, VersionState.Failed);
        _watching = Task.WhenAll(_models.Select(model => WatchAsync(model, _stop.Token)));
    }

    /// <summary>What serves serves on, and nothing takes its place any more. Does not wait: a load under way ends by itself.</summary>
    public void Stop() => _ = _stop.CancelAsync();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watching.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
        _goingBack.Dispose();
    }

    private DeliveredModel? Find(string name) => _models.FirstOrDefault(one => one.Name == name);

    /// <summary>What is preferred, or what is usual where the version lacks that.</summary>
    private PrecisionPreference Fit(PrecisionPreference preference, DeliveredVersion? version)
    {
        if (version is null || preference.Named is not { } named || version.Folder.Manifest.Variants.Any(one => one.Precision == named))
            return preference;
        _warn($"{version.Folder.Name} {version.Version} has no {PrecisionName.Of(named)} variant to be loaded at the start: "
            + "what is usual is loaded in its place.");
        return new PrecisionPreference(_usual.Named);
    }

    private async Task<bool> TryGoBackAsync(DeliveredModel model, DeliveredVersion failed, string reason, CancellationToken cancellationToken)
    {
        // Several variants of one model are loaded at once, and all of them may fail: the first one takes the model back.
        await _goingBack.WaitAsync(cancellationToken);
        DeliveredVersion? last = null;
        try
        {
            if (model.Serving != failed) return true;
            last = await _delivery.FindLastServedAsync(model.Name, cancellationToken);
            if (last is null || last.Version == failed.Version) return false;
            SwapOutcome outcome;
            // Only loads of other models can be in the way, and they end.
            do outcome = await _host.SwapAsync(last.Folder, _usual, isForward: false, _ => { }, cancellationToken);
            while (outcome.RetryAfter is not null);
            if (outcome.Refusal is not null) return false;
            model.Take(last, outcome.Retired);
            last = null;
            model.Candidate = new ServedVersion(failed.Version, VersionState.Failed, reason);
            _warn($"{model.Name} {failed.Version} is not served: {reason.TrimEnd('.')}. "
                + $"{model.Serving.Version}, which was served here last, is served.");
            return true;
        }
        finally
        {
            last?.Dispose();
            _goingBack.Release();
        }
    }

    private async Task WatchAsync(DeliveredModel model, CancellationToken stop)
    {
        while (true)
        {
            Remember(model);
            await Task.Delay(_interval * (1 - Jitter + 2 * Jitter * Random.Shared.NextDouble()), _delivery.Time, stop);
            try
            {
                await LookAsync(model, stop);
            }
            catch (Exception fault) when (!stop.IsCancellationRequested)
            {
                // The repository is away, or the disk is full: what serves serves on, and the next look may find it mended.
                // Why a version was refused before stays as it was.
                if (model.Candidate is { State: not VersionState.Waiting } candidate && model.Tried != model.Tag)
                    Fail(model, candidate.Version, fault.Message);
                else Tell(model, $"{model.Name}: {fault.Message} {model.Serving.Version} is served meanwhile.");
            }
        }
    }

    /// <summary>For a later start that can't serve what is active. A version of which nothing was loaded yet may be no good.</summary>
    private void Remember(DeliveredModel model)
    {
        var isLoaded = _host.Status.Any(one => one.Loaded is not null && one.Folder.Name == model.Name);
        if (isLoaded || _delivery.Served.Find(model.Name) is null)
            _delivery.Served.Keep(model.Name, new ServedNote(model.Serving.Version, model.Serving.Key));
    }

    private async Task LookAsync(DeliveredModel model, CancellationToken stop)
    {
        if (await _delivery.Repository.FindActiveChangeAsync(model.Name, model.Tag, stop) is not var (active, tag))
        {
            model.Told = null;
            return;
        }

        if (active.Version == model.Serving.Version)
        {
            (model.Tag, model.Candidate) = (tag, null);
            return;
        }

        if (model.Postponed is { } later && later.Tag == tag && _delivery.Time.GetElapsedTime(later.Since) < later.For) return;
        // What a look tries again, as nothing but the repository or the disk was in the way, stays as it was said.
        if (model.Tried != tag) (model.Tried, model.Candidate) = (tag, new ServedVersion(active.Version, VersionState.Fetching, null));
        DeliveredVersion? next = null;
        SwapOutcome? outcome = null;
        try
        {
            outcome = await UnlessAnotherAsync(
                model.Name,
                tag,
                async until =>
                {
                    next = await _delivery.OpenAsync(model.Name, active.Version, until);
                    // Another may have been activated while this one was fetched.
                    var isActive = await _delivery.Repository.FindActiveChangeAsync(model.Name, tag, until) is null;
                    return isActive ? await SwapAsync(model, next, active, until) : null;
                },
                stop);
        }
        catch (InvalidModelException fault)
        {
            outcome = new SwapOutcome(fault.Message, Task.CompletedTask);
        }
        finally
        {
            if (outcome is not { Refusal: null }) next?.Dispose();
        }

        Settle(model, active, tag, next, outcome);
    }

    private Task<SwapOutcome> SwapAsync(DeliveredModel model, DeliveredVersion next, ActiveVersion active, CancellationToken until)
    {
        model.Candidate = new ServedVersion(next.Version, VersionState.Loading, null);
        var isForward = next.Pushed > model.Serving.Pushed && !active.LessAccurate;
        void OnWaiting(string reason) => model.Candidate = new ServedVersion(next.Version, VersionState.Waiting, reason);
        return _host.SwapAsync(next.Folder, _usual, isForward, OnWaiting, until);
    }

    /// <param name="outcome">Null where the next look takes what was activated instead.</param>
    private void Settle(DeliveredModel model, ActiveVersion active, string tag, DeliveredVersion? next, SwapOutcome? outcome)
    {
        if (outcome is null)
        {
            model.Candidate = null;
            return;
        }

        if (outcome is { Refusal: { } passing, RetryAfter: { } wait })
        {
            model.Candidate = new ServedVersion(active.Version, VersionState.Waiting, passing);
            Tell(model, $"{model.Name} {active.Version} is not served yet: {passing}. {model.Serving.Version} is served meanwhile.");
            model.Postponed = new DeliveredModel.Postponement(tag, _delivery.Time.GetTimestamp(), wait);
            return;
        }

        model.Tag = tag;
        if (outcome.Refusal is { } refusal)
        {
            Fail(model, active.Version, refusal);
            return;
        }

        var before = model.Serving.Version;
        model.Take(next!, outcome.Retired);
        Count(model, VersionState.Active);
        _progress.Report($"{model.Name} {active.Version} takes requests now, activated by {active.By}; {before} finishes those it has.");
    }

    /// <summary>
    /// Null where yet another version was activated before this one took requests: fetching and waiting on would hold that one up, also where it is
    /// the one that serves.
    /// </summary>
    private async Task<T?> UnlessAnotherAsync<T>(string model, string tag, Func<CancellationToken, Task<T?>> action, CancellationToken stop)
        where T : class
    {
        using var off = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var watching = UntilAnotherAsync(model, tag, off);
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
            await Task.Delay(_interval, _delivery.Time, off.Token);
            try
            {
                if (await _delivery.Repository.FindActiveChangeAsync(model, tag, off.Token) is null) continue;
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
        // What fails at each look is told once, also where the reason has a number that changes, as the free space of a disk.
        var isTold = model.Candidate is { State: VersionState.Failed } before && before.Version == version;
        model.Candidate = new ServedVersion(version, VersionState.Failed, reason);
        if (isTold) return;
        Count(model, VersionState.Failed);
        _warn($"{model.Name} {version} is not served: {reason.TrimEnd('.')}. {model.Serving.Version} stays.");
    }

    private void Tell(DeliveredModel model, string line)
    {
        if (model.Told == line) return;
        model.Told = line;
        _warn(line);
    }

    private static void Count(DeliveredModel model, VersionState state) => DeliveryInstruments.OnSwap(model.Name, VersionStateName.Of(state));
}
