using R1Serverless.Abstractions;
using R1Serverless.Api.Webhooks;
using R1Serverless.Auth;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Steps;
using R1Serverless.ModelRegistry;
using R1Serverless.Storage;

namespace R1Serverless.Serving;

/// <summary>What <c>r1 serve</c> was told. Ranges are checked where the command line is read.</summary>
internal sealed record ServeOptions
{
    /// <summary>Addresses to listen on, as ASP.NET Core writes them.</summary>
    public IReadOnlyList<string> Urls { get; init; } = [ListenAddresses.Default];

    /// <summary>Addresses to speak gRPC on, by HTTP/2 without encryption; none by default. Of the hosts of <see cref="Urls"/>.</summary>
    public IReadOnlyList<string> GrpcUrls { get; init; } = [];

    public ServeRole Role { get; init; }

    /// <summary>Where gateways and workers meet.</summary>
    public TransportOptions Transport { get; init; } = new();

    /// <summary>Names in the repository or folders; empty means the shipped model.</summary>
    public IReadOnlyList<string> Models { get; init; } = [];

    /// <summary>Where the models that are named come from, and all of them where none is named; null means this machine.</summary>
    public RepositoryAddress? ModelsFrom { get; init; }

    /// <summary>Between two looks at what is active there.</summary>
    public TimeSpan ModelsPoll { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Bytes of disk that versions from there may take together.</summary>
    public long ModelCacheBytes { get; init; } = ModelCache.DefaultBudget;

    /// <summary>What is loaded at the start, each a model's name or name:precision; empty means what a request to the first model would
    /// get.</summary>
    public IReadOnlyList<string> Load { get; init; } = [];

    /// <summary>For requests that name no precision; null leaves it to the measurements.</summary>
    public Precision? Precision { get; init; }

    /// <summary>Bytes that all loaded variants may take together, weights, keys and values; null means three quarters of what this process may
    /// use.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Where built models are kept; null means the user's data folder.</summary>
    public string? DataFolder { get; init; }

    /// <summary>Any of these opens the API.</summary>
    public IReadOnlyList<string> ApiKeys { get; init; } = [];

    /// <summary>Where named keys are kept; null for none.</summary>
    public KeySource? Keys { get; init; }

    /// <summary>Whose tokens are taken beside keys; null for nobody's.</summary>
    public EntraOptions? Entra { get; init; }

    /// <summary>Whose web pages may call, as <see cref="WebOrigin"/> reads them.</summary>
    public IReadOnlyList<string> CorsOrigins { get; init; } = [];

    /// <summary>Whether a key is asked for at all; if not, only loopback addresses may be used.</summary>
    public bool AreKeysRequired => ApiKeys.Count > 0 || Keys is not null || Entra is not null;

    /// <summary>Whether several may call, who then take turns.</summary>
    public bool HasSeveralCallers => ApiKeys.Count > 1 || Keys is not null || Entra is not null;

    /// <summary>Whether the Functions host stands in front, which makes every caller look local.</summary>
    public bool IsBehindHost { get; init; }

    /// <summary>Where traces and metrics go; nowhere by default.</summary>
    public MonitoringOptions Monitoring { get; init; } = new();

    /// <summary>Bytes for keys and values of each loaded variant; null means a sixth of <see cref="MemoryBytes"/>.</summary>
    public long? KeyValueMemoryBytes { get; init; }

    /// <summary>Between whose requests the computed beginnings of prompts are shared.</summary>
    public PrefixSharing PrefixSharing { get; init; }

    /// <summary>Bytes of the file in which each variant keeps shared prefixes; null for none.</summary>
    public long? PrefixFileBytes { get; init; }

    /// <summary>Requests that may wait for a slot, per variant, and those that may wait for a variant; beyond that the answer is 429.</summary>
    public int MaxWaiting { get; init; } = 1024;

    /// <summary>Whether models and endpoints are run before requests are taken in.</summary>
    public bool WarmsUp { get; init; } = true;

    /// <summary>Where models run, and with how many threads.</summary>
    public RuntimeOptions Runtime { get; init; } = new();

    /// <summary>How long answers may still run after the signal to stop.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A request that would wait longer for a worker is refused.</summary>
    public TimeSpan MaxWait { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Requests of one API key that may wait and run while their clients wait.</summary>
    public int MaxConcurrentPerKey { get; init; } = 1024;

    /// <summary>Requests of one API key that may wait without their clients.</summary>
    public int MaxQueuedPerKey { get; init; } = 100_000;

    /// <summary>How long results are kept for those that come back for them.</summary>
    public TimeSpan Retention { get; init; } = TimeSpan.FromHours(24);

    /// <summary>Hosts that webhooks may be on, see <see cref="WebhookHosts"/>; none by default.</summary>
    public IReadOnlyList<string> WebhookHosts { get; init; } = [];

    /// <summary>What webhooks are signed with, see <see cref="WebhookSecret"/>; null for none.</summary>
    public WebhookSecret? WebhookSecret { get; init; }

    /// <summary>The largest request body in bytes; beyond that the answer is 413.</summary>
    public int MaxBodyBytes { get; init; } = 4 << 20;
}
