using System.Text.RegularExpressions;
using Azure.Messaging.ServiceBus;
using Microsoft.Extensions.Logging;
using R1Serverless.Queues.AzureStorage;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>The client library's client for what <see cref="ServiceBusOptions"/> say, bounded in its patience: callers try again themselves. One connection, made when first needed.</summary>
internal sealed partial class BusClient : IAsyncDisposable
{
    // A second attempt goes over a new link or connection, where the first found that the old one was gone.
    private const int MostAttempts = 2;

    private readonly bool _hasKey;

    /// <exception cref="TransportException">The options can't be used; the message says which.</exception>
    public BusClient(ServiceBusOptions options, TimeProvider time, ILogger log)
    {
        if (options.LeaseTime < TimeSpan.FromSeconds(1) || options.LeaseTime > TimeSpan.FromMinutes(5)) throw Wrong("a lock lasts from 1 second to 5 minutes");
        if (!Prefix().IsMatch(options.EntityPrefix)) throw Wrong($"'{options.EntityPrefix}' can't begin the names of queues: up to 50 letters, digits, '-', '_', '.' and '/', a letter or digit first");
        (Options, Time, Log, _hasKey) = (options, time, log, options.ConnectionString is not null);
        ServiceBusClientOptions client = new()
        {
            TransportType = options.UseWebSockets ? ServiceBusTransportType.AmqpWebSockets : ServiceBusTransportType.AmqpTcp,
            RetryOptions = new() { TryTimeout = options.AnswerTime, MaxRetries = MostAttempts - 1, Delay = TimeSpan.FromMilliseconds(100), MaxDelay = TimeSpan.FromSeconds(1) },
            CustomEndpointAddress = options.Endpoint,
            CertificateValidationCallback = options.CertificateCheck,
        };
        Sdk = options switch
        {
            { ConnectionString: { } connection, Namespace: null } => new ServiceBusClient(Checked(connection), client),
            { ConnectionString: null, Namespace: { } name } => new ServiceBusClient(HostOf(name), options.Credential ?? AzureCredentials.Default(), client),
            _ => throw Wrong("give either a connection string or a namespace"),
        };
    }

    public ServiceBusClient Sdk { get; }

    public ServiceBusOptions Options { get; }

    public TimeProvider Time { get; }

    public ILogger Log { get; }

    public string Host => Sdk.FullyQualifiedNamespace;

    /// <summary>When a call is given up at the latest: all attempts and the pause between.</summary>
    public TimeSpan CallTime => (Options.AnswerTime * MostAttempts) + TimeSpan.FromSeconds(1);

    public TransportException Explain(Exception fault, string queue) => ServiceBusFault.Explain(fault, Host, queue, _hasKey);

    public ValueTask DisposeAsync() => CloseAsync(Sdk);

    /// <summary>In time, and whatever comes of it: it may be gone already, which is wanted.</summary>
    public async ValueTask CloseAsync(IAsyncDisposable part)
    {
        try
        {
            await part.DisposeAsync().AsTask().WaitAsync(CallTime, Time);
        }
        catch (Exception fault) when (ServiceBusFault.Knows(fault, CancellationToken.None))
        {
            // Whatever was locked comes again.
        }
    }

    private static string Checked(string connection)
    {
        try
        {
            ServiceBusConnectionStringProperties parts = ServiceBusConnectionStringProperties.Parse(connection);
            if (parts.EntityPath is not null) throw Wrong("the connection string is one queue's; take the namespace's, which has no EntityPath");
            if (parts.Endpoint is not null && (parts.SharedAccessSignature ?? (parts.SharedAccessKeyName is null ? null : parts.SharedAccessKey)) is not null) return connection;
        }
        catch (Exception fault) when (fault is FormatException or ArgumentException)
        {
            // Told below.
        }

        throw Wrong("the connection string can't be read: it has the form 'Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…'");
    }

    private static string HostOf(string name)
    {
        string url = name.Contains("://", StringComparison.Ordinal) ? name : $"sb://{name}";
        if (!Uri.TryCreate(url, UriKind.Absolute, out Uri? endpoint) || endpoint.Host.Length == 0 || endpoint.AbsolutePath is not ("" or "/"))
            throw Wrong($"'{name}' is no namespace: give its name, or its host (NAME.servicebus.windows.net)");
        return endpoint.Host.Contains('.', StringComparison.Ordinal) || endpoint.IsLoopback ? endpoint.Host : $"{endpoint.Host}.servicebus.windows.net";
    }

    private static TransportException Wrong(string what) => new($"Service Bus can't be used: {what}.", isPermanent: true);

    [GeneratedRegex("^([A-Za-z0-9][A-Za-z0-9._/-]{0,49})?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Prefix();
}
