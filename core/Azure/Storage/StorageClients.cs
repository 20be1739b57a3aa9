using System.Text.RegularExpressions;
using Azure.Core;
using Azure.Storage.Blobs;
using Azure.Storage.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Azure.Storage;

/// <summary>The client library's own clients for what <see cref="StorageOptions"/> say, bounded in their patience: callers try again
/// themselves.</summary>
internal sealed partial class StorageClients
{
    private const string QueueRole = "Storage Queue Data Contributor";

    // Of one attempt where nothing answers. Messages are small, and a lease must be renewed in time; a block takes longer on a slow line.
    private static readonly TimeSpan QueueTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan BlobTimeout = TimeSpan.FromSeconds(20);

    private readonly QueueServiceClient queues;
    private readonly StorageService? queueService;

    /// <exception cref="TransportException">The options can't be used; the message says which.</exception>
    public StorageClients(StorageOptions options)
    {
        if (!ContainerName().IsMatch(options.Container))
            throw Wrong($"'{options.Container}' is no name for a container: 3 to 63 lower-case letters, digits and single dashes");
        if (!Prefix().IsMatch(options.QueuePrefix))
            throw Wrong(
                $"'{options.QueuePrefix}' can't begin the names of queues: 1 to 24 lower-case letters, digits and single dashes, a dash not first");
        if (options.LeaseTime < TimeSpan.FromSeconds(1) || options.LeaseTime > TimeSpan.FromHours(1))
            throw Wrong("a lease lasts from 1 second to 1 hour");
        if (options.ConnectionString is null == options.Account is null) throw Wrong("give either a connection string or an account");

        BlobServiceClient blobs;
        var blobOptions = Bounded(new BlobClientOptions(), BlobTimeout, options);
        var queueOptions = Bounded(new QueueClientOptions { MessageEncoding = QueueMessageEncoding.None }, QueueTimeout, options);
        if (options.ConnectionString is { } connection)
        {
            try
            {
                blobs = new BlobServiceClient(connection, blobOptions);
                queues = new QueueServiceClient(connection, queueOptions);
            }
            catch (Exception fault) when (fault is FormatException or ArgumentException or InvalidOperationException or NullReferenceException)
            {
                // The last is the library's where blobs have no address.
                throw Wrong("the connection string can't be read: it has the form "
                    + "'DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…;EndpointSuffix=core.windows.net'");
            }
        }
        else
        {
            var credential = options.Credential ?? AzureCredentials.Default();
            var endpoint = BlobEndpoint(options.Account!);
            blobs = new BlobServiceClient(endpoint, credential, blobOptions);
            queues = new QueueServiceClient(new Uri(endpoint.AbsoluteUri.Replace(".blob.", ".queue.", StringComparison.Ordinal)), credential,
                queueOptions);
        }

        Container = blobs.GetBlobContainerClient(options.Container);
        BlobService = new StorageService(blobs.Uri.Authority, options.BlobRole, options.ContainerCreated);
        // A connection string with a signature has the addresses of those services only that it opens.
        if (queues.Uri is { } address) queueService = new StorageService(address.Authority, QueueRole);
    }

    public BlobContainerClient Container { get; }

    /// <exception cref="TransportException">The options are for blobs only.</exception>
    public QueueServiceClient Queues => queueService is null ? throw NoQueues() : queues;

    public StorageService BlobService { get; }

    /// <exception cref="TransportException">The options are for blobs only.</exception>
    public StorageService QueueService => queueService ?? throw NoQueues();

    private static Uri BlobEndpoint(string account)
    {
        if (AccountName().IsMatch(account)) return new Uri($"https://{account}.blob.core.windows.net/");
        // Such as with a password, which a message must not repeat.
        if (account.Contains('@', StringComparison.Ordinal)) throw Wrong("an account's address names no user");
        var url = account.Contains("://", StringComparison.Ordinal) ? account : $"https://{account}";
        if (Uri.TryCreate(url, UriKind.Absolute, out var endpoint) && endpoint is { Scheme: "https", AbsolutePath: "/" }
            && endpoint.Host.Contains(".blob.", StringComparison.Ordinal)) return endpoint;
        throw Wrong(
            $"'{account}' is no storage account: give its name (3 to 24 lower-case letters and digits) or its blob endpoint (https://NAME.blob.…)");
    }

    /// <summary>An attempt and two more within a second or so, where the service refuses or the connection breaks.</summary>
    private static T Bounded<T>(T client, TimeSpan timeout, StorageOptions options)
        where T : ClientOptions
    {
        client.Retry.Mode = RetryMode.Exponential;
        client.Retry.MaxRetries = 2;
        client.Retry.Delay = TimeSpan.FromMilliseconds(100);
        client.Retry.MaxDelay = TimeSpan.FromSeconds(1);
        client.Retry.NetworkTimeout = timeout;
        if (options.Http is { } http) client.Transport = http;
        return client;
    }

    private static TransportException NoQueues() => Wrong("the connection string has no QueueEndpoint");

    private static TransportException Wrong(string what) => new($"Azure Storage can't be used: {what}.", isPermanent: true);

    [GeneratedRegex("^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ContainerName();

    [GeneratedRegex("^(?=.{1,24}$)[a-z0-9]+(-[a-z0-9]+)*-?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Prefix();

    [GeneratedRegex("^[a-z0-9]{3,24}$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex AccountName();
}
