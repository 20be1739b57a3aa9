using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Storage;

namespace R1Serverless.Queues;

/// <summary>The workers that are there, by their registrations. One is alive while its count changes, by this process's own clock: no two clocks are
/// compared.</summary>
public sealed class WorkerDirectory(WorkerRegistrations registrations, TimeProvider time) : IDisposable
{
    /// <summary>A worker that has said nothing for so long is dead: three publications that did not come.</summary>
    public static readonly TimeSpan LongestSilence = 3 * WorkerRegistrations.Interval;

    /// <summary>What was read is believed for so long.</summary>
    public static readonly TimeSpan Freshness = TimeSpan.FromSeconds(2);

    /// <summary>For so long what was read last is told to those who can do with it, where the store does not answer.</summary>
    public static readonly TimeSpan LongestBelief = TimeSpan.FromMinutes(1);

    /// <summary>For so long such a one waits for the store: probes are given few seconds.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly SemaphoreSlim _reading = new(1);
    private readonly Lock _gate = new();
    private readonly Dictionary<string, (long Count, long Heard)> _heard = new(StringComparer.Ordinal);
    private volatile Reading? _last;
    private Task<IReadOnlyList<WorkerRegistration>> _refresh = Task.FromResult<IReadOnlyList<WorkerRegistration>>([]);

    /// <summary>The registrations of the living, at most <see cref="Freshness"/> old.</summary>
    /// <exception cref="TransportException">The store can't be reached.</exception>
    public async ValueTask<IReadOnlyList<WorkerRegistration>> ListAsync(CancellationToken cancellationToken)
    {
        if (Fresh() is { } fresh) return fresh;
        using var turn = await _reading.EnterAsync(cancellationToken);
        // Another may have read meanwhile.
        if (Fresh() is { } read) return read;
        var found = await registrations.ListAsync(cancellationToken);
        var now = time.GetTimestamp();
        WorkerRegistration[] living = [.. found.Where(one => IsAlive(one.Registration, one.Age, now)).Select(one => one.Registration)];
        foreach (var gone in _heard.Keys.Except(found.Select(one => one.Registration.Id)).ToArray()) _heard.Remove(gone);
        _last = new Reading(now, living);
        return living;
    }

    /// <summary>The same as far as it is known, which a store that is away for a moment does not change: at most <see cref="LongestBelief"/>
    /// old.</summary>
    /// <exception cref="TransportException">The store has not answered for so long, or never.</exception>
    public async ValueTask<IReadOnlyList<WorkerRegistration>> ListKnownAsync(CancellationToken cancellationToken)
    {
        Task<IReadOnlyList<WorkerRegistration>> refresh;
        lock (_gate)
        {
            // One that takes longer than the patience goes on, so that the next caller finds what it read.
            if (_refresh.IsCompleted) _refresh = ListAsync(CancellationToken.None).AsTask();
            refresh = _refresh;
        }

        try
        {
            return await refresh.WaitAsync(Patience, time, cancellationToken);
        }
        catch (Exception fault) when (fault is TransportException or TimeoutException && _last is { } last
            && time.GetElapsedTime(last.At) < LongestBelief)
        {
            return last.Registrations;
        }
        catch (TimeoutException fault)
        {
            throw new TransportException("The store does not say which workers are there.", fault);
        }
    }

    /// <summary>What this process itself serves, where it is a worker; null while it does not know yet.</summary>
    public Func<IReadOnlyList<ServedModel>>? Own { get; set; }

    /// <summary>Whether workers of this process are still to come: what they serve can't be refused.</summary>
    public bool IsWorker { get; init; }

    /// <summary>Whether a request can be answered, now or by a worker still to come: it is refused only where workers are there and none of them has
    /// its model, or the precision that it names.</summary>
    /// <exception cref="TransportException">The store can't be reached.</exception>
    public async ValueTask<RouteCheck> CheckAsync(RequestRoute route, CancellationToken cancellationToken)
    {
        // A model once seen costs no reading: should its workers be gone, the request waits as at a cold start.
        if (_last is { } known && Serves(known.Registrations.SelectMany(worker => worker.Models), route)) return RouteCheck.Served;
        if (Own is { } own && Serves(own(), route)) return RouteCheck.Served;
        ServedModel[] models = [.. (await ListAsync(cancellationToken)).SelectMany(worker => worker.Models), .. Own?.Invoke() ?? []];
        return Serves(models, route) ? RouteCheck.Served
            : models.Length == 0 || (IsWorker && Own is null) ? RouteCheck.Unknown
            : new RouteCheck(IsServed: false, Refusal(models, route));
    }

    /// <summary>Whether a worker that serves such requests is alive.</summary>
    /// <exception cref="TransportException">The store can't be reached.</exception>
    public async ValueTask<bool> AreThereAsync(RequestRoute route, CancellationToken cancellationToken) =>
        Serves([.. (await ListAsync(cancellationToken)).SelectMany(worker => worker.Models), .. Own?.Invoke() ?? []], route);

    public void Dispose() => _reading.Dispose();

    private static bool Serves(IEnumerable<ServedModel> models, RequestRoute route) => models.Any(model => model.Id == route.Model
        && (route.Precision is not { } named || model.Variants.Any(variant => variant.Precision == named)));

    private static InferenceError Refusal(ServedModel[] models, RequestRoute route)
    {
        var there = models.Where(model => model.Id == route.Model).SelectMany(model => model.Variants).Select(variant => variant.Precision)
            .Distinct().Order().Select(PrecisionName.Of).ToArray();
        return route.Precision is not { } named || there.Length == 0
            ? new InferenceError(InferenceErrorKind.ModelNotFound, $"No worker serves the model '{route.Model}'.", "model")
            : new InferenceError(InferenceErrorKind.InvalidRequest,
                $"No worker has an {PrecisionName.Of(named)} variant of '{route.Model}'; 'precision' can be one of "
                + $"{string.Join(", ", there.Append(PrecisionName.Auto))}.", "precision");
    }

    private IReadOnlyList<WorkerRegistration>? Fresh() => _last is { } last && time.GetElapsedTime(last.At) < Freshness ? last.Registrations : null;

    /// <summary>A count that is new here was written <paramref name="age"/> ago by the store's clock; from then on this process's clock
    /// counts.</summary>
    private bool IsAlive(WorkerRegistration registration, TimeSpan age, long now)
    {
        if (!_heard.TryGetValue(registration.Id, out var heard) || heard.Count != registration.Count)
        {
            var ago = (long)(Math.Max(0, age.TotalSeconds) * time.TimestampFrequency);
            _heard[registration.Id] = heard = (registration.Count, now - ago);
        }

        return time.GetElapsedTime(heard.Heard, now) <= LongestSilence;
    }

    private sealed record Reading(long At, IReadOnlyList<WorkerRegistration> Registrations);
}

/// <summary>What is known of a request's way to a worker.</summary>
/// <param name="IsServed">A worker has its model, and the precision that it names.</param>
/// <param name="Refusal">Why none will answer it; null where one does, or may come.</param>
public readonly record struct RouteCheck(bool IsServed, InferenceError? Refusal)
{
    public static RouteCheck Served { get; } = new(true, null);

    /// <summary>No worker is there to say.</summary>
    public static RouteCheck Unknown { get; } = new(false, null);
}
