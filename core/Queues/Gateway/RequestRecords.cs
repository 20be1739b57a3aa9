using System.Text.Json;
using System.Text.Json.Serialization;
using R1Serverless.Abstractions;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Gateway;

/// <summary>What is kept of a request so that its client can come back for the result.</summary>
/// <param name="Owner">See <see cref="InferenceRequest.Owner"/>.</param>
/// <param name="Api">Which API's answer the client expects, as the front end names it.</param>
/// <param name="Created">In Unix seconds.</param>
/// <param name="Webhook">Where the result is to be sent; null for nowhere.</param>
/// <param name="ClientId">What the client calls it, where its API has that.</param>
/// <param name="Form">How the answer is given, in the front end's words, where its API leaves a choice.</param>
public sealed record RequestRecord(string Id, string Owner, string Api, string Model, long Created, string? Webhook = null,
    string? ClientId = null, string? Form = null);

/// <summary>Records of requests by owner and id: <c>requests/{owner}/{id}.json</c>. One is written before its request is enqueued: a request without
/// a record was never taken in. Every method may throw <see cref="TransportException"/>.</summary>
public sealed class RequestRecords(IObjectStore store)
{
    public const string Folder = "requests/";

    internal const string Extension = ".json";

    private const string Nobody = "anyone";

    /// <summary>Keeps a record; one that is there stays.</summary>
    public async ValueTask AddAsync(RequestRecord record, CancellationToken cancellationToken) => await store.PutAsync(
        Name(record.Owner, record.Id), JsonSerializer.SerializeToUtf8Bytes(record, GatewayJson.Default.RequestRecord), PutCondition.Absent,
        cancellationToken);

    /// <summary>Null if the owner has no such request, or it has been purged.</summary>
    /// <param name="id">As a client sent it.</param>
    public async ValueTask<RequestRecord?> FindAsync(string owner, string id, CancellationToken cancellationToken) =>
        IsPossible(id) && await store.GetAsync(Name(owner, id), cancellationToken) is { } stored ? Read(stored.Content.Span) : null;

    /// <summary>The owner's folder, ending with a slash.</summary>
    internal static string FolderOf(string owner) => $"{Folder}{OwnerFolder(owner)}/";

    /// <summary>The part of a name that stands for an owner.</summary>
    internal static string OwnerFolder(string owner) => owner.Length > 0 ? owner : Nobody;

    private static string Name(string owner, string id) => $"{FolderOf(owner)}{id}{Extension}";

    private static bool IsPossible(string id) => id.Length is > 0 and <= 64 && id.All(char.IsAsciiLetterOrDigit);

    private static RequestRecord Read(ReadOnlySpan<byte> json) => StoredJson.Read(json, GatewayJson.Default.RequestRecord)
        ?? throw new MalformedMessageException("it is no record of this program");
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(RequestRecord))]
[JsonSerializable(typeof(IdempotencyEntry))]
internal sealed partial class GatewayJson : JsonSerializerContext;
