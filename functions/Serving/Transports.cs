using System.Runtime.CompilerServices;
using R1Serverless.Azure.ServiceBus;
using R1Serverless.Azure.Storage;
using R1Serverless.Queues;
using R1Serverless.Queues.Sqlite;
using R1Serverless.Storage;

namespace R1Serverless.Serving;

/// <summary>From options to a transport. Nothing is reached before it is opened.</summary>
internal static class Transports
{
    /// <summary>Why these options name no transport, and what to do; null where they do.</summary>
    public static string? Refusal(TransportOptions options) => options switch
    {
        { UnknownKind: { } name } =>
            $"{TransportOptions.KindVariable}: there is no transport '{name}', there are {string.Join(", ", TransportOptions.Names)}.",
        { Kind: TransportKind.Storage, Storage: null } =>
            $"--transport storage needs an account: set {TransportOptions.StorageVariable} to its connection string, or --storage to its name or "
            + "address to use this process's identity.",
        { Kind: TransportKind.ServiceBus, ServiceBus: null } =>
            $"--transport servicebus needs a namespace: set {TransportOptions.ServiceBusVariable} to its connection string, or --service-bus to its "
            + "host to use this process's identity.",
        { Kind: TransportKind.ServiceBus, Storage: null } =>
            $"--transport servicebus keeps results in Azure Storage: set {TransportOptions.StorageVariable} to a connection string, or --storage to "
            + "the account's name or address.",
        _ => null,
    };

    /// <param name="options">Without a <see cref="Refusal"/>.</param>
    /// <exception cref="TransportException">What is said of the service can't be right; the message says what.</exception>
    public static Transport Create(TransportOptions options, TimeProvider time, ILoggerFactory logs) => options.Kind switch
    {
        TransportKind.Embedded => new EmbeddedTransport(options.QueueFolder, time, Embedded(options)),
        TransportKind.Storage => CreateStorage(options, time, logs),
        _ => CreateServiceBus(options, time, logs),
    };

    // Apart, so that nobody else loads Azure's libraries.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static StorageTransport CreateStorage(TransportOptions options, TimeProvider time, ILoggerFactory logs) =>
    new(Storage(options), time, logs.CreateLogger<StorageTransport>());

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static ServiceBusTransport CreateServiceBus(TransportOptions options, TimeProvider time, ILoggerFactory logs) =>
        new(ServiceBus(options), new BlobStore(Storage(options)), time, logs.CreateLogger<ServiceBusTransport>());

    private static EmbeddedOptions Embedded(TransportOptions options) =>
        options.LeaseTime is { } lease ? new EmbeddedOptions { LeaseTime = lease } : new EmbeddedOptions();

    private static StorageOptions Storage(TransportOptions options)
    {
        var account = IsConnectionString(options.Storage!) ? new StorageOptions { ConnectionString = options.Storage }
            : new StorageOptions { Account = options.Storage };
        return options.LeaseTime is { } lease ? account with { LeaseTime = lease } : account;
    }

    private static ServiceBusOptions ServiceBus(TransportOptions options)
    {
        var bus = IsConnectionString(options.ServiceBus!) ? new ServiceBusOptions { ConnectionString = options.ServiceBus }
            : new ServiceBusOptions { Namespace = options.ServiceBus };
        return bus with { UseWebSockets = options.UseWebSockets, LeaseTime = options.LeaseTime ?? bus.LeaseTime };
    }

    // Names and addresses have no equals sign; every setting in a connection string has one.
    private static bool IsConnectionString(string text) => text.Contains('=', StringComparison.Ordinal);
}
