using R1Serverless.Abstractions;

namespace R1Serverless.Engine.ModelHosting;

/// <summary>
/// Loads the variants of one newcomer: beside the old version where there is room, else in its place. Requests are held back from the old version
/// only while its end, and that of whatever is idle, would make room enough, and no longer than <see cref="ModelHostOptions.RunDry"/>: what others
/// hold does not come free by holding requests back.
/// </summary>
/// <param name="wanted">Leased, so that none leaves for another's load.</param>
/// <param name="old">The variants of the version that serves.</param>
internal sealed class SwapLoader(
    HostedModels models, ModelHostOptions options, VariantLoader loads, TimeProvider time,
    HostedVariant[] wanted, HostedVariant[] old, Action<string> onWaiting)
{
    private readonly string _model = wanted[0].Folder.Name;
    private readonly string _needed = Mebibytes(wanted.Sum(one => one.MemoryBytes)), _limit = Mebibytes(options.MemoryBytes);

    private enum Wait
    {
        None,

        /// <summary>For the old version's requests; new ones are held.</summary>
        Dry,

        /// <summary>For those of other models; the old version serves on.</summary>
        Others,
    }

    /// <summary>Null when all are loaded, else why one could not be.</summary>
    public async Task<SwapOutcome?> RunAsync(CancellationToken cancellationToken)
    {
        if (wanted.Sum(one => one.MemoryBytes) > options.MemoryBytes)
            return SwapOutcome.Refused($"it needs {_needed}, and models may take {_limit}: give them more memory, or less to keys and values");
        foreach (var one in wanted)
        {
            if (await LoadAsync(one, cancellationToken) is { } refused) return refused;
            // Loaded, but not wanted any more.
            cancellationToken.ThrowIfCancellationRequested();
        }

        return null;
    }

    private async Task<SwapOutcome?> LoadAsync(HostedVariant one, CancellationToken cancellationToken)
    {
        long? since = null;
        var said = Wait.None;
        while (true)
        {
            var (loading, wait, seen) = Begin(one);
            if (loading is not null)
            {
                // Not left alone: the version's files are in use until it ends.
                return await loading ? null
                    : SwapOutcome.Refused($"its {PrecisionName.Of(one.Variant.Precision)} variant could not be loaded: {one.Reason}");
            }

            if (wait != said) onWaiting(Reason(wait));
            said = wait;
            since ??= time.GetTimestamp();
            var left = (wait == Wait.Dry ? options.RunDry : options.Patience) - time.GetElapsedTime(since.Value);
            if (await models.Room.WaitAsync(seen, left > TimeSpan.Zero ? left : TimeSpan.Zero, time, cancellationToken)) continue;
            return wait == Wait.Dry
                ? SwapOutcome.Later(
                    $"{Unfit()}, whose requests did not end within {options.RunDry.TotalMinutes:0.#} minutes: "
                        + $"it is tried again {options.RetrySwap.TotalMinutes:0.#} minutes later; without a pause with more memory",
                    options.RetrySwap)
                : SwapOutcome.Later(Reason(wait), TimeSpan.Zero);
        }
    }

    private (Task<bool>? Loading, Wait Wait, long Seen) Begin(HostedVariant one)
    {
        lock (models.Gate)
        {
            var isHeld = models.IsHeld(_model);
            if (!isHeld) loads.TryBegin(one, staying: old);
            if (one.Loading is null && WouldFit() != isHeld)
            {
                models.Hold(_model, isHeld = !isHeld);
                // What was held goes on.
                if (!isHeld) models.Room.Set();
            }

            if (one.Loading is null && isHeld) loads.TryBegin(one);
            return (one.Loading, isHeld ? Wait.Dry : Wait.Others, models.Room.Version);
        }
    }

    /// <summary>Whether all of the newcomer fits once the old version and what is idle have left. Under the lock.</summary>
    private bool WouldFit()
    {
        var staying = models.All.Where(other => other.TakesMemory && !other.IsIdle && !old.Contains(other)).Sum(other => other.MemoryBytes);
        return staying + wanted.Where(one => !one.TakesMemory).Sum(one => one.MemoryBytes) <= options.MemoryBytes;
    }

    private string Reason(Wait wait) => wait == Wait.Dry
        ? $"{Unfit()}: its requests end first, and new ones wait"
        : $"its {_needed} do not fit into the {_limit} that models may take while requests of others run: it waits for those, and takes none from "
        + "the version that serves; with more memory it need not wait";

    private string Unfit() => $"{_needed} beside the version that serves do not fit into the {_limit} that models may take";

    private static string Mebibytes(long bytes) => $"{(bytes + (1 << 20) - 1) >> 20} MiB";
}
