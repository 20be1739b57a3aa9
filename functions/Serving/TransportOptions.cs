namespace R1Serverless.Serving;

/// <summary>How gateways and workers are connected.</summary>
internal enum TransportKind
{
    /// <summary>A folder of this machine, which several processes may share.</summary>
    Embedded,

    /// <summary>Azure Storage: queues and blobs.</summary>
    Storage,

    /// <summary>Azure Service Bus, with blobs for results and for what is too large for a message.</summary>
    ServiceBus,
}

/// <summary>Where the queue is. A class, so that nothing prints its connection strings by the way.</summary>
internal sealed class TransportOptions
{
    public const string KindVariable = "R1_TRANSPORT";
    public const string StorageVariable = "R1_STORAGE";
    public const string ServiceBusVariable = "R1_SERVICEBUS";
    public const string WebSocketsVariable = "R1_SERVICEBUS_WEBSOCKETS";

    /// <summary>What Azure Functions calls an account or a namespace in a connection by identity; taken where the variable itself is not
    /// set.</summary>
    public const string AccountNameVariable = StorageVariable + "__accountName", NamespaceVariable = ServiceBusVariable + "__fullyQualifiedNamespace";

    public TransportKind Kind { get; init; }

    /// <summary>What the environment names instead of a kind; null where it names one, or none.</summary>
    public string? UnknownKind { get; init; }

    /// <summary>Of models and embedded queue; null means the user's.</summary>
    public string? DataFolder { get; init; }

    /// <summary>A connection string (a secret), or an account's name or address, which is used with the identity of this process; null where not
    /// given.</summary>
    public string? Storage { get; init; }

    /// <summary>A connection string (a secret), or a namespace's host, which is used with the identity of this process; null where not
    /// given.</summary>
    public string? ServiceBus { get; init; }

    /// <summary>Service Bus over WebSockets, at port 443.</summary>
    public bool UseWebSockets { get; init; }

    /// <summary>After so long without a sign of life the work of a worker is given to another; null means the transport's own default.</summary>
    public TimeSpan? LeaseTime { get; init; }

    /// <summary>Of the embedded queue and store.</summary>
    public string QueueFolder => Path.Combine(DataFolder ?? Models.Folders.DataFolder.Default, "queue");

    public string Name => NameOf(Kind);

    public static IReadOnlyList<string> Names { get; } = [.. Enum.GetValues<TransportKind>().Select(NameOf)];

    public static TransportKind Parse(string name) => Enum.GetValues<TransportKind>().First(kind => NameOf(kind) == name);

    private static string NameOf(TransportKind kind) => kind.ToString().ToLowerInvariant();
}
