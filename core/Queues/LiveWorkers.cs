namespace R1Serverless.Queues;

/// <summary>The workers that are there, by their cards. One is alive while its count changes, by this process's own clock: no two clocks are compared.</summary>
public sealed class LiveWorkers(WorkerCards cards, TimeProvider time) : IDisposable
{
    /// <summary>A worker that has said nothing for so long is dead: three publications that did not come.</summary>
    public static readonly TimeSpan LongestSilence = 3 * WorkerCards.Interval;

    /// <summary>What was read is believed for so long.</summary>
    public static readonly TimeSpan Freshness = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim _reading = new(1);
    private readonly Dictionary<string, (long Count, long Heard)> _heard = new(StringComparer.Ordinal);
    private volatile Reading? _last;

    /// <summary>The cards of the living, at most <see cref="Freshness"/> old.</summary>
    /// <exception cref="TransportException">The store can't be reached.</exception>
    public async ValueTask<IReadOnlyList<WorkerCard>> ListAsync(CancellationToken cancellationToken)
    {
        if (Fresh() is { } fresh) return fresh;
        await _reading.WaitAsync(cancellationToken);
        try
        {
            // Another may have read meanwhile.
            if (Fresh() is { } read) return read;
            IReadOnlyList<(WorkerCard Card, TimeSpan Age)> found = await cards.ListAsync(cancellationToken);
            long now = time.GetTimestamp();
            WorkerCard[] living = [.. found.Where(one => IsAlive(one.Card, one.Age, now)).Select(one => one.Card)];
            foreach (string gone in _heard.Keys.Except(found.Select(one => one.Card.Id)).ToArray()) _heard.Remove(gone);
            _last = new Reading(now, living);
            return living;
        }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>Whether a request for the model can be answered, now or by a worker still to come: false only where workers are there and none of them serves it.</summary>
    /// <exception cref="TransportException">The store can't be reached.</exception>
    public async ValueTask<bool> MayServeAsync(string model, CancellationToken cancellationToken)
    {
        // A model once seen costs no reading: should its workers be gone, the request waits as at a cold start.
        if (_last is { } known && Serves(known.Cards, model)) return true;
        IReadOnlyList<WorkerCard> living = await ListAsync(cancellationToken);
        return living.Count == 0 || Serves(living, model);
    }

    public void Dispose() => _reading.Dispose();

    private static bool Serves(IReadOnlyList<WorkerCard> living, string model) => living.Any(card => card.Models.Any(served => served.Id == model));

    private IReadOnlyList<WorkerCard>? Fresh() => _last is { } last && time.GetElapsedTime(last.At) < Freshness ? last.Cards : null;

    /// <summary>A count that is new here was written <paramref name="age"/> ago by the store's clock; from then on this process's clock counts.</summary>
    private bool IsAlive(WorkerCard card, TimeSpan age, long now)
    {
        if (!_heard.TryGetValue(card.Id, out var heard) || heard.Count != card.Count)
        {
            long ago = (long)(Math.Max(0, age.TotalSeconds) * time.TimestampFrequency);
            _heard[card.Id] = heard = (card.Count, now - ago);
        }

        return time.GetElapsedTime(heard.Heard, now) <= LongestSilence;
    }

    private sealed record Reading(long At, IReadOnlyList<WorkerCard> Cards);
}
