using System.Text.Json;
using System.Text.Json.Serialization;
using R1Serverless.Abstractions;
using R1Serverless.Storage;

namespace R1Serverless.Queues;

/// <summary>What a worker says of itself, again and again: <c>workers/{id}.json</c>.</summary>
/// <param name="Id">See <see cref="Transport.WorkerId"/>.</param>
/// <param name="Count">Grows with every publication: a registration whose count stands still is a dead worker's.</param>
public sealed record WorkerRegistration(string Id, long Count, IReadOnlyList<ServedModel> Models)
{
    /// <summary>Beginnings of prompts that it ran lately, at most <see cref="WorkerPrefixes.Most"/>.</summary>
    public IReadOnlyList<string> Prefixes { get; init; } = [];

    /// <summary>Whether its engine had no room for more.</summary>
    public bool IsFull { get; init; }
}

/// <summary>The registrations of the workers of one transport. Every method may throw <see cref="TransportException"/>.</summary>
public sealed class WorkerRegistrations(IObjectStore store)
{
    public const string Folder = "workers/";

    /// <summary>How often a worker publishes its registration.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>So soon it is published once there is another beginning of a prompt.</summary>
    public static readonly TimeSpan ShortestInterval = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan Abandoned = TimeSpan.FromHours(1);

    public async ValueTask PublishAsync(WorkerRegistration registration, CancellationToken cancellationToken) =>
        await store.PutAsync(
            Name(registration.Id), JsonSerializer.SerializeToUtf8Bytes(registration, WorkerRegistrationJson.Default.WorkerRegistration),
            PutCondition.Always, cancellationToken);

    public async ValueTask RemoveAsync(string id, CancellationToken cancellationToken) => await store.DeleteAsync(Name(id), cancellationToken);

    /// <summary>All that can be read, those of dead workers too, each with the time since it was written by the store's clock.</summary>
    public async ValueTask<IReadOnlyList<(WorkerRegistration Registration, TimeSpan Age)>> ListAsync(CancellationToken cancellationToken)
    {
        List<(WorkerRegistration, TimeSpan)> registrations = [];
        await foreach (var entry in store.ListAsync(Folder, cancellationToken))
        {
            // One of another version that says less is no worker that this build can describe.
            if (await store.GetAsync(entry.Name, cancellationToken) is { } stored
                && StoredJson.Read(stored.Content.Span, WorkerRegistrationJson.Default.WorkerRegistration) is { } registration)
                registrations.Add((registration, entry.Age));
        }

        return registrations;
    }

    /// <summary>Removes what workers left that were killed long ago.</summary>
    public async ValueTask PurgeAsync(CancellationToken cancellationToken)
    {
        await foreach (var entry in store.ListAsync(Folder, cancellationToken))
        {
            if (entry.Age > Abandoned) await store.DeleteAsync(entry.Name, cancellationToken);
        }
    }

    private static string Name(string id) => $"{Folder}{id}.json";
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true,
    UseStringEnumConverter = true)]
[JsonSerializable(typeof(WorkerRegistration))]
internal sealed partial class WorkerRegistrationJson : JsonSerializerContext;
