using R1Serverless.Models;
using R1Serverless.Requests;

namespace R1Serverless.Generation;

/// <summary>
/// Takes a model from one version to another. Beside the old one where both fit; else the old one is let run dry first, while new requests wait as they do for any variant that has
/// no room yet. Until the newcomer is warm nothing of the old one is given up that could not be loaded again.
/// </summary>
/// <param name="gate">The host's lock.</param>
internal sealed class VersionSwap(HostedModels models, ModelHostOptions options, VariantLoads loads, RoomSignal room, Lock gate)
{
    // Two models that change at once would each hold the room that the other waits for.
    private readonly SemaphoreSlim _turn = new(1);

    /// <summary>See <see cref="ModelHost.SwapAsync"/>.</summary>
    public async Task<SwapOutcome> RunAsync(ModelFolder next, PrecisionWish usual, bool isForward, Action<string> onWaiting, CancellationToken cancellationToken)
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

    private async Task<SwapOutcome> SwapAsync(ModelFolder next, PrecisionWish usual, bool isForward, Action<string> onWaiting, CancellationToken cancellationToken)
    {
        HostedVariant[] old, candidates, wanted;
        lock (gate)
        {
            old = [.. models.Of(next.Name)];
            Precision[] loaded = [.. old.Where(one => one.TakesMemory).Select(one => one.Variant.Precision)];
            var (names, refusal) = VersionGate.Judge(next.Name, next.Manifest.Variants, [.. old.Select(one => one.Variant)], loaded, models.Device, usual, isForward);
            if (refusal is not null) return SwapOutcome.Refused(refusal);
            candidates = models.Add(next);
            wanted = [.. names.Select(variant => Array.Find(candidates, one => ReferenceEquals(one.Variant, variant))!)];
            // As if a request held them, so that none leaves for another's load.
            foreach (var one in wanted) one.Leases++;
        }

        string? failure;
        try
        {
            failure = await LoadAsync(wanted, old, onWaiting, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            lock (gate) GiveUp(next.Name, candidates, wanted);
            throw;
        }

        lock (gate)
        {
            if (failure is not null)
            {
                GiveUp(next.Name, candidates, wanted);
                return SwapOutcome.Refused(failure);
            }

            old = models.Promote(next.Name, candidates);
            models.Hold(next.Name, isHeld: false);
            foreach (var one in wanted) one.Leases--;
            foreach (var one in old) loads.Retire(one);
            room.Pulse();
            return new SwapOutcome(null, GoneAsync(old));
        }
    }

    /// <summary>Why one of them could not be loaded; null where all are.</summary>
    private async Task<string?> LoadAsync(HostedVariant[] wanted, HostedVariant[] old, Action<string> onWaiting, CancellationToken cancellationToken)
    {
        var needed = wanted.Sum(one => one.MemoryBytes);
        if (needed > options.MemoryBytes) return $"it needs {Mebibytes(needed)}, and models may take {Mebibytes(options.MemoryBytes)}: give them more memory, or less to keys and values";
        IReadOnlyCollection<HostedVariant> staying = old;
        foreach (var one in wanted)
        {
            while (Begin(one, staying) is var (loading, change))
            {
                if (loading is not null)
                {
                    if (!await loading) return $"its {PrecisionName.Of(one.Variant.Precision)} variant could not be loaded: {one.Failure?.Message}";
                    break;
                }

                if (staying.Count > 0)
                {
                    lock (gate) models.Hold(one.Folder.Name, isHeld: true);
                    onWaiting($"{Mebibytes(needed)} beside the version that serves do not fit into the {Mebibytes(options.MemoryBytes)} that models may take: its requests end first, and new ones wait");
                    await RunDryAsync(old, cancellationToken);
                    staying = [];
                }
                else
                {
                    // Other models are busy; what they hold comes free when their requests end.
                    await change.WaitAsync(cancellationToken);
                }
            }
        }

        return null;
    }

    private (Task<bool>? Loading, Task Change) Begin(HostedVariant one, IReadOnlyCollection<HostedVariant> staying)
    {
        lock (gate)
        {
            loads.TryBegin(one, staying);
            return (one.Loading, room.Next);
        }
    }

    /// <summary>Ends when the old version's requests have ended, while what comes is held; it stays in memory as long as nothing needs its room.</summary>
    private async Task RunDryAsync(HostedVariant[] old, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task change;
            lock (gate)
            {
                if (old.All(one => one.Leases == 0 && one.Loading is null)) return;
                change = room.Next;
            }

            await change.WaitAsync(cancellationToken);
        }
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
        room.Pulse();
    }

    private async Task GoneAsync(HostedVariant[] old)
    {
        while (true)
        {
            Task change;
            lock (gate)
            {
                if (!models.All.Any(old.Contains)) return;
                change = room.Next;
            }

            await change;
        }
    }

    private static string Mebibytes(long bytes) => $"{(bytes + (1 << 20) - 1) >> 20} MiB";
}

/// <summary>How a swap went.</summary>
/// <param name="Refusal">Why the old version stays; null where the new one serves.</param>
/// <param name="Retired">Ends when nothing of the version that is not served is in memory any more.</param>
public sealed record SwapOutcome(string? Refusal, Task Retired)
{
    internal static SwapOutcome Refused(string why) => new(why, Task.CompletedTask);
}
