using R1Serverless.Abstractions;
using R1Serverless.Models.Folders;

namespace R1Serverless.Engine.ModelHosting;

/// <summary>
/// Takes a model from one version to another. Beside the old one where both fit; else the old one is let run dry first, while new requests wait as
/// they do for any variant that has no room yet. Until the newcomer is warm nothing of the old one is given up that could not be loaded again.
/// </summary>
internal sealed class VersionSwap(HostedModels models, ModelHostOptions options, VariantLoader loads, TimeProvider time)
{
    // Two models that change at once would each hold the room that the other waits for.
    private readonly SemaphoreSlim _turn = new(1);

    /// <summary>See <see cref="ModelHost.SwapAsync"/>.</summary>
    public async Task<SwapOutcome> RunAsync(ModelFolder next, PrecisionPreference usual, bool isForward, Action<string> onWaiting,
        CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            return await SwapAsync(next, usual, isForward, onWaiting, cancellationToken);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task<SwapOutcome> SwapAsync(ModelFolder next, PrecisionPreference usual, bool isForward, Action<string> onWaiting,
        CancellationToken cancellationToken)
    {
        HostedVariant[] old, candidates, wanted;
        lock (models.Gate)
        {
            old = [.. models.Of(next.Name)];
            Precision[] loaded = [.. old.Where(one => one.TakesMemory).Select(one => one.Variant.Precision)];
            var (names, refusal) =
                VersionGate.Judge(next.Name, next.Manifest.Variants, [.. old.Select(one => one.Variant)], loaded, models.Device, usual, isForward,
                    options.LoadsMarked);
            if (refusal is not null) return SwapOutcome.Refused(refusal);
            candidates = models.Add(next);
            wanted = Fitting([.. names.Select(variant => Array.Find(candidates, one => ReferenceEquals(one.Variant, variant))!)]);
            // As if a request held them, so that none leaves for another's load.
            foreach (var one in wanted) one.Leases++;
        }

        SwapOutcome? refused;
        try
        {
            refused = await new SwapLoader(models, options, loads, time, wanted, old, onWaiting).RunAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            lock (models.Gate) GiveUp(next.Name, candidates, wanted);
            throw;
        }

        lock (models.Gate)
        {
            if (refused is not null)
            {
                GiveUp(next.Name, candidates, wanted);
                return refused;
            }

            old = models.Promote(next.Name, candidates);
            models.Hold(next.Name, isHeld: false);
            foreach (var one in wanted) one.Leases--;
            foreach (var one in old) loads.Retire(one);
            models.Room.Set();
            return new SwapOutcome(null, GoneAsync(old));
        }
    }

    /// <summary>What only requests have brought into memory is left for requests to bring again, as much of it as memory has no room for. The first
    /// is the usual one, which stays.</summary>
    private HostedVariant[] Fitting(HostedVariant[] wanted)
    {
        var needed = wanted.Sum(one => one.MemoryBytes);
        List<HostedVariant> fitting = [.. wanted];
        for (var i = wanted.Length - 1; i > 0 && needed > options.MemoryBytes; i--)
        {
            if (options.LoadsMarked && wanted[i].Variant.Preload) continue;
            fitting.RemoveAt(i);
            needed -= wanted[i].MemoryBytes;
        }

        return [.. fitting];
    }

    /// <summary>The old version stays: what was loaded of the new one goes, and what waits goes on. Under the lock.</summary>
    private void GiveUp(string model, HostedVariant[] candidates, HostedVariant[] wanted)
    {
        foreach (var one in wanted) one.Leases--;
        foreach (var one in candidates)
        {
            one.Role = VersionRole.Retiring;
            loads.Retire(one);
        }

        models.Hold(model, isHeld: false);
        models.Room.Set();
    }

    private async Task GoneAsync(HostedVariant[] old)
    {
        while (true)
        {
            long seen;
            lock (models.Gate)
            {
                if (!models.All.Any(old.Contains)) return;
                seen = models.Room.Version;
            }

            await models.Room.WaitAsync(seen, Timeout.InfiniteTimeSpan, time, CancellationToken.None);
        }
    }
}

/// <summary>How a swap went.</summary>
/// <param name="Refusal">Why the old version stays; null where the new one serves.</param>
/// <param name="Retired">Ends when nothing of the version that is not served is in memory any more.</param>
public sealed record SwapOutcome(string? Refusal, Task Retired)
{
    /// <summary>Where the refusal may pass by itself: after how long it is worth another try.</summary>
    public TimeSpan? RetryAfter { get; init; }

    internal static SwapOutcome Refused(string why) => new(why, Task.CompletedTask);

    internal static SwapOutcome Later(string why, TimeSpan retryAfter) => Refused(why) with { RetryAfter = retryAfter };
}
