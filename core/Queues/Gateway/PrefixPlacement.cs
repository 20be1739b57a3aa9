using R1Serverless.Abstractions;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Gateway;

/// <summary>Names for each request the worker that ran a prompt with the same beginning lately. That is known by the replies that came here, and by
/// the workers' registrations. Safe for several threads.</summary>
/// <param name="salt">Equal for requests that share the beginnings of their prompts; null for one that shares with none.</param>
public sealed class PrefixPlacement(WorkerDirectory workers, Func<InferenceRequest, string?> salt, TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<RequestId, Place> _places = [];
    private readonly Dictionary<string, Seen> _seen = new(StringComparer.Ordinal);

    /// <summary>To be disposed when the request has ended; null where it makes no difference which worker runs it.</summary>
    public async ValueTask<Place?> PlaceAsync(InferenceRequest request, CancellationToken cancellationToken)
    {
        if (salt(request) is not { } own) return null;
        var prefixes = PrefixHashes.Of(request, own);
        var living = prefixes.Count == 0 ? null : await ListAsync(cancellationToken);
        lock (_gate)
        {
            Place place = new(this, request.Id, prefixes, living is null ? null : Choose(prefixes, living, RequestRoute.Of(request)));
            if (_places.TryAdd(request.Id, place) && place.Worker is { } worker) At(worker).Requests++;
            return place;
        }
    }

    /// <summary>A worker has begun to answer a request: it has the beginnings of its prompt from now on.</summary>
    public void OnAnswering(RequestId id, string worker)
    {
        lock (_gate)
        {
            if (!_places.TryGetValue(id, out var place)) return;
            if (place.Worker is { } before) At(before).Requests--;
            place.Worker = worker;
            At(worker).Requests++;
            At(worker).Prefixes.Add(place.Prefixes);
        }
    }

    /// <summary>Null where nothing can be told of them.</summary>
    private async ValueTask<IReadOnlyList<WorkerRegistration>?> ListAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await workers.ListKnownAsync(cancellationToken);
        }
        catch (TransportException)
        {
            // Whether the queue can be reached is told where the request is enqueued.
            return null;
        }
    }

    private string? Choose(IReadOnlyList<string> prefixes, IReadOnlyList<WorkerRegistration> living, RequestRoute route)
    {
        foreach (var gone in _seen.Where(one => one.Value.Requests == 0).Select(one => one.Key).Except(living.Select(one => one.Id)).ToArray())
            _seen.Remove(gone);
        return PrefixChoice.Of([.. living.Where(one => !one.IsFull && IsSharing(one, route)).Select(Candidate)]);

        PrefixCandidate Candidate(WorkerRegistration one)
        {
            var seen = _seen.GetValueOrDefault(one.Id);
            var length = prefixes.Count;
            while (length > 0 && !IsThere(prefixes[length - 1])) length--;
            return new PrefixCandidate(one.Id, length, seen?.Requests ?? 0);

            bool IsThere(string prefix) => seen?.Prefixes.Contains(prefix) == true || one.Prefixes.Contains(prefix, StringComparer.Ordinal);
        }
    }

    private static bool IsSharing(WorkerRegistration worker, RequestRoute route) => worker.Models.Any(model => model.Id == route.Model
        && model.Variants.Any(variant => variant.Loaded is { SharesPrefixes: true } && (route.Precision ?? variant.Precision) == variant.Precision));

    private Seen At(string worker)
    {
        if (!_seen.TryGetValue(worker, out var seen)) _seen[worker] = seen = new Seen(new WorkerPrefixes(worker, time));
        return seen;
    }

    private void Leave(Place place)
    {
        lock (_gate)
        {
            // One of the same id may stand there, or stood there.
            if (_places.GetValueOrDefault(place.Id) == place && _places.Remove(place.Id) && place.Worker is { } worker) At(worker).Requests--;
        }
    }

    /// <summary>Where an unended request should go, and once it is answered, where it runs.</summary>
    public sealed class Place : IDisposable
    {
        private readonly PrefixPlacement _all;

        internal Place(PrefixPlacement all, RequestId id, IReadOnlyList<string> prefixes, string? worker) =>
            (_all, Id, Prefixes, Worker) = (all, id, prefixes, worker);

        /// <inheritdoc cref="QueuedRequest.Prefixes"/>
        public IReadOnlyList<string> Prefixes { get; }

        /// <inheritdoc cref="QueuedRequest.Worker"/>
        public string? Worker { get; internal set; }

        internal RequestId Id { get; }

        public void Dispose() => _all.Leave(this);
    }

    /// <summary>A worker as its replies show it.</summary>
    private sealed class Seen(WorkerPrefixes prefixes)
    {
        public WorkerPrefixes Prefixes { get; } = prefixes;

        public int Requests { get; set; }
    }
}
