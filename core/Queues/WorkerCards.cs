using System.Text.Json;
using System.Text.Json.Serialization;

namespace R1Serverless.Queues;

/// <summary>What a worker says of itself, again and again: <c>workers/{id}.json</c>.</summary>
/// <param name="Id">New for each process.</param>
/// <param name="Count">Grows with every publication: a card whose count stands still is a dead worker's.</param>
public sealed record WorkerCard(string Id, long Count, IReadOnlyList<ServedModel> Models);

/// <summary>The cards of the workers of one transport. Every method may throw <see cref="TransportException"/>.</summary>
public sealed class WorkerCards(IObjectStore store)
{
    public const string Folder = "workers/";

    /// <summary>How often a worker publishes its card.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Abandoned = TimeSpan.FromHours(1);

    public async ValueTask PublishAsync(WorkerCard card, CancellationToken cancellationToken) =>
        await store.PutAsync(Name(card.Id), JsonSerializer.SerializeToUtf8Bytes(card, WorkerCardJson.Default.WorkerCard), PutCondition.Always, cancellationToken);

    public async ValueTask RemoveAsync(string id, CancellationToken cancellationToken) => await store.DeleteAsync(Name(id), cancellationToken);

    /// <summary>All cards that can be read, those of dead workers too, each with the time since it was written by the store's clock.</summary>
    public async ValueTask<IReadOnlyList<(WorkerCard Card, TimeSpan Age)>> ListAsync(CancellationToken cancellationToken)
    {
        List<(WorkerCard, TimeSpan)> cards = [];
        await foreach (ObjectEntry entry in store.ListAsync(Folder, cancellationToken))
        {
            if (await store.GetAsync(entry.Name, cancellationToken) is { } stored && Read(stored.Content.Span) is { } card) cards.Add((card, entry.Age));
        }

        return cards;
    }

    /// <summary>Removes what workers left that were killed long ago.</summary>
    public async ValueTask PurgeAsync(CancellationToken cancellationToken)
    {
        await foreach (ObjectEntry entry in store.ListAsync(Folder, cancellationToken))
        {
            if (entry.Age > Abandoned) await store.DeleteAsync(entry.Name, cancellationToken);
        }
    }

    private static string Name(string id) => $"{Folder}{id}.json";

    // One of another version that says less is no worker that this build can describe.
    private static WorkerCard? Read(ReadOnlySpan<byte> json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, WorkerCardJson.Default.WorkerCard);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true, UseStringEnumConverter = true)]
[JsonSerializable(typeof(WorkerCard))]
internal sealed partial class WorkerCardJson : JsonSerializerContext;
