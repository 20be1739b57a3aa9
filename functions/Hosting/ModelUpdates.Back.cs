using R1Serverless.Generation;
using R1Serverless.Models;
using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>From a version that this process started with, and that does not load, to those that were active before it.</summary>
internal sealed partial class ModelUpdates
{
    private readonly SemaphoreSlim _goingBack = new(1);

    /// <summary>Loads a variant; where that fails, of the version that was active before. To be called before <see cref="Start"/>, for several variants and models at once.</summary>
    /// <exception cref="Exception">None of the versions that were active before does better: the fault of the last.</exception>
    public async Task LoadAsync(string name, PrecisionWish wish, CancellationToken cancellationToken)
    {
        DeliveredModel? model = models.FirstOrDefault(one => one.Name == name);
        while (true)
        {
            DeliveredVersion? tried = model?.Serving;
            PrecisionWish fit = tried is null ? wish : PreloadNames.Fit(wish, usual.Named, tried.Folder);
            if (fit != wish) _warn($"{name} {tried!.Version} has no {PrecisionName.Of(wish.Named!.Value)} variant to be loaded at the start: what is usual is loaded in its place.");
            try
            {
                using IDisposable? attempt = tried is null ? null : delivery.Attempt(name, tried);
                await host.LoadAsync(name, fit, cancellationToken);
                return;
            }
            catch (Exception fault) when (model is not null && !cancellationToken.IsCancellationRequested)
            {
                if (!await TryGoBackAsync(model, tried!.Version, fault.Message, cancellationToken)) throw;
            }
        }
    }

    private async Task<bool> TryGoBackAsync(DeliveredModel model, string failed, string reason, CancellationToken cancellationToken)
    {
        // Several variants of one model are loaded at once, and all of them may fail: the first to come takes the model back.
        await _goingBack.WaitAsync(cancellationToken);
        try
        {
            return model.Serving.Version != failed || await GoBackAsync(model, failed, reason, waits: true, cancellationToken) == true;
        }
        catch (TransportException fault)
        {
            _warn($"{model.Name} {failed} is not served: {reason} What was active before it can't be had: {fault.Message}");
            return false;
        }
        finally
        {
            _goingBack.Release();
        }
    }

    /// <summary>
    /// Whether a version that was active before serves in the place of one that can't. The word of the repository that was acted upon stays the one that names the failed version:
    /// whatever was activated meanwhile is found at the next look.
    /// </summary>
    /// <param name="waits">Whether to wait for room: at a start only loads of other models can be in the way, and they end; requests may go on and on.</param>
    /// <returns>Null where there is no room yet.</returns>
    private async Task<bool?> GoBackAsync(DeliveredModel model, string failed, string reason, bool waits, CancellationToken cancellationToken)
    {
        if (model.Line is not { } line) return false;
        line.Refuse(failed, reason);
        while (line.HasNext)
        {
            DeliveredVersion version;
            try
            {
                version = await line.OpenAsync(cancellationToken);
            }
            catch (InvalidModelException)
            {
                return false;
            }

            SwapOutcome outcome;
            try
            {
                using IDisposable? attempt = delivery.Attempt(model.Name, version);
                do
                {
                    outcome = await host.SwapAsync(version.Folder, usual, isForward: false, _ => { }, cancellationToken);
                }
                while (waits && outcome.RetryAfter is not null);
            }
            catch
            {
                version.Dispose();
                throw;
            }

            if (outcome.RetryAfter is not null)
            {
                version.Dispose();
                return null;
            }

            if (outcome.Refusal is { } refusal)
            {
                line.Refuse(version.Version, refusal);
                version.Dispose();
                continue;
            }

            model.Take(version, outcome.Retired);
            TellRefused(model);
            return true;
        }

        return false;
    }

    /// <summary>What was passed over on the way to what serves.</summary>
    private void TellRefused(DeliveredModel model)
    {
        if (model.Line is not { } line) return;
        string serving = model.Serving.Version;
        foreach (var (version, reason) in line.TakeRefused(serving)) Lose(model, version, reason, $"{serving}, which was active before it, is served.");
        if (serving != line.Active && line.ReasonOf(line.Active) is { } why) model.Candidate = new ServedVersion(line.Active, VersionState.Failed, why);
    }

    /// <summary>A version of which nothing was loaded at the start shows only under requests whether it loads.</summary>
    private async Task ProveAsync(DeliveredModel model, CancellationToken stop)
    {
        if (model.Line is null) return;
        VariantStatus[] own = [.. host.Status.Where(one => one.Role == VersionRole.Current && one.Folder.Name == model.Name)];
        var choice = VariantSelection.Choose(model.Name, [.. own.Select(one => one.Variant)], host.Device, variant => own.Any(one => one.Variant == variant && one.Loaded is not null), usual);
        if (own.FirstOrDefault(one => one.Variant == choice.Variant) is not { } chosen || (!chosen.WasLoaded && (chosen.IsLoading || chosen.Failure is null))) return;
        bool? hasLoaded = chosen.WasLoaded
            ? true : await GoBackAsync(model, model.Serving.Version, $"its {PrecisionName.Of(chosen.Variant.Precision)} variant could not be loaded: {chosen.Failure}", waits: false, stop);
        if (hasLoaded is null) return;
        if (hasLoaded == true)
        {
            delivery.Remember(model.Name, model.Serving);
        }
        else
        {
            _warn($"{model.Name} {model.Serving.Version} can't be loaded, and nothing that was active before it can be served: {chosen.Failure}");
        }

        model.Line = null;
    }
}
