using System.Text.Json;
using System.Text.Json.Serialization;
using R1Serverless.Abstractions;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Webhooks;

/// <summary>A call that is owed to a client: the result of its request, once it has ended.</summary>
/// <param name="Id">Of the request.</param>
/// <param name="Owner">See <see cref="InferenceRequest.Owner"/>.</param>
/// <param name="Tries">That have failed.</param>
/// <param name="Wait">In seconds from its last writing until the next try.</param>
/// <param name="Deliverer">Who tries just now; null for nobody.</param>
public sealed record WebhookDelivery(string Id, string Owner, string Url, int Tries = 0, double Wait = 0, string? Deliverer = null);

/// <summary>Owed calls: <c>webhooks/{id}.json</c>. Every method may throw <see cref="TransportException"/>.</summary>
public sealed class WebhookDeliveries(IObjectStore store)
{
    public const string Folder = "webhooks/";

    private const string Extension = ".json";

    /// <summary>Owes a call from now on; one that is there stays.</summary>
    public async ValueTask AddAsync(WebhookDelivery delivery, CancellationToken cancellationToken) =>
        await store.PutAsync(Name(delivery.Id), Write(delivery), PutCondition.Absent, cancellationToken);

    /// <summary>Owes it no more; whether it was owed.</summary>
    public ValueTask<bool> RemoveAsync(string id, CancellationToken cancellationToken) => store.DeleteAsync(Name(id), cancellationToken);

    /// <summary>The ids of all, with the time since each was last written.</summary>
    internal async ValueTask<IReadOnlyList<(string Id, TimeSpan Age)>> ListAsync(CancellationToken cancellationToken)
    {
        List<(string, TimeSpan)> found = [];
        await foreach (var entry in store.ListAsync(Folder, cancellationToken))
        {
            if (entry.Name.EndsWith(Extension, StringComparison.Ordinal)) found.Add((entry.Name[Folder.Length..^Extension.Length], entry.Age));
        }

        return found;
    }

    /// <summary>Null if it is owed no more.</summary>
    internal async ValueTask<(WebhookDelivery Delivery, string Tag)?> FindAsync(string id, CancellationToken cancellationToken) =>
        await store.GetAsync(Name(id), cancellationToken) is { } stored
        // One of another version is left to a gateway that knows it.
        && StoredJson.Read(stored.Content.Span, WebhookJson.Default.WebhookDelivery) is { } delivery ? (delivery, stored.Tag) : null;

    /// <summary>The new tag; null if another has written it meanwhile.</summary>
    internal ValueTask<string?> TryPutAsync(WebhookDelivery delivery, string tag, CancellationToken cancellationToken) =>
        store.PutAsync(Name(delivery.Id), Write(delivery), PutCondition.Unchanged(tag), cancellationToken);

    private static string Name(string id) => $"{Folder}{id}{Extension}";

    private static byte[] Write(WebhookDelivery delivery) => JsonSerializer.SerializeToUtf8Bytes(delivery, WebhookJson.Default.WebhookDelivery);
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(WebhookDelivery))]
internal sealed partial class WebhookJson : JsonSerializerContext;
