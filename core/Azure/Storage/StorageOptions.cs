using Azure.Core;
using Azure.Core.Pipeline;
using R1Serverless.Queues;

namespace R1Serverless.Azure.Storage;

/// <summary>Which storage account to use, and as whom. Either <see cref="ConnectionString"/> or <see cref="Account"/> is given.</summary>
public sealed record StorageOptions
{
    public const string BlobWriter = "Storage Blob Data Contributor", BlobReader = "Storage Blob Data Reader",
        CreatedAtStart = "a restart creates it again";

    /// <summary>As the portal shows it, with an account key or a shared access signature; <c>UseDevelopmentStorage=true</c> is Azurite on its usual
    /// ports.</summary>
    public string? ConnectionString { get; init; }

    /// <summary>An account's name, or its blob endpoint (<c>https://NAME.blob.core.usgovcloudapi.net</c>) in another cloud than the public
    /// one.</summary>
    public string? Account { get; init; }

    /// <summary>Who asks, where only the account is given; null means <see cref="AzureCredentials.Default"/>.</summary>
    public TokenCredential? Credential { get; init; }

    /// <summary>The container of all objects: 3 to 63 lower-case letters, digits and single dashes.</summary>
    public string Container { get; init; } = "r1serverless";

    /// <summary>What the names of all queues begin with, so that several deployments may share an account: a lower-case letter or digit, then up to
    /// 23 of those and single dashes.</summary>
    public string QueuePrefix { get; init; } = "r1-";

    /// <summary>The queue that producers drop jobs into; named apart, since producers and triggers know it by its name.</summary>
    public string JobQueue { get; init; } = IJobQueue.Name;

    /// <summary>See <see cref="IRequestQueue.LeaseTime"/>: 1 second to 1 hour; the service counts whole seconds.</summary>
    public TimeSpan LeaseTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The role that allows what is done with the container, for messages.</summary>
    public string BlobRole { get; init; } = BlobWriter;

    /// <summary>Who creates the container where it is missing, for messages: the end of a sentence.</summary>
    public string ContainerCreated { get; init; } = CreatedAtStart;

    /// <summary>How a test stands between the client library and the service; null for the network.</summary>
    internal HttpPipelineTransport? Http { get; init; }

    /// <summary>Says where, never the key.</summary>
    public override string ToString() => $"container '{Container}', queues '{QueuePrefix}*'";
}
