using System.Text.RegularExpressions;
using Azure.Messaging.ServiceBus;
using Microsoft.Extensions.Logging;
using R1Serverless.Azure.Storage;
using R1Serverless.Storage;

namespace R1Serverless.Azure.ServiceBus;

/// <summary>The client library's client for what <see cref="ServiceBusOptions"/> say, bounded in its patience: callers try again themselves. One
/// connection, made when first needed.</summary>
internal sealed partial class BusClient : IAsyncDisposable
{
    private readonly ILogger log;
    private readonly Lock _gate = new();
    private readonly string? _connection;
    private ServiceBusClient _sdk;
    private ServiceBusClient? _answered;
    private bool _isDisposed;

    /// <exception cref="TransportException">The options can't be used; the message says which.</exception>
    public BusClient(ServiceBusOptions options, TimeProvider time, ILogger log)
    {
        if (options.LeaseTime < TimeSpan.FromSeconds(1) || options.LeaseTime > TimeSpan.FromMinutes(5))
            throw Wrong("a lock lasts from 1 second to 5 minutes");
        if (!Prefix().IsMatch(options.EntityPrefix))
            throw Wrong(
                $"'{options.EntityPrefix}' can't begin the names of queues: up to 50 letters, digits, '-', '_', '.' and '/', not a sign first");
        if (options.ConnectionString is null == options.Namespace is null) throw Wrong("give either a connection string or a namespace");
        (Options, Time,
            this.log) = (options with { Credential = options.Credential ?? (options.Namespace is null ? null : AzureCredentials.Default()) }, time,
            log);
        _connection = options.ConnectionString is { } connection ? Checked(connection) : null;
        _sdk = Create();
    }

    /// <summary>Another one after <see cref="Suspect"/>.</summary>
    public ServiceBusClient Sdk => Volatile.Read(ref _sdk);

    public ServiceBusOptions Options { get; }

    public TimeProvider Time { get; }

    public ILogger Log => log;

    public string Host => Sdk.FullyQualifiedNamespace;

    /// <summary>When an attempt is given up at the latest, should the library itself not do so.</summary>
    public TimeSpan AttemptTime => Options.AnswerTime + TimeSpan.FromSeconds(1);

    public TransportException Explain(Exception fault, string queue) => ServiceBusFault.Explain(fault, Host, queue, hasKey: _connection is not null);

    public void Answered(ServiceBusClient sdk) => Volatile.Write(ref _answered, sdk);

    /// <summary>A call over a client got no answer in time. One that has answered before is replaced: the library does not notice when the link goes
    /// by which it shows its tokens, and from then on would wait in vain with every call. One that has never answered has no better
    /// successor.</summary>
    public void Suspect(ServiceBusClient sdk)
    {
        lock (_gate)
        {
            if (_isDisposed || sdk != _sdk || sdk != _answered) return;
            Volatile.Write(ref _sdk, Create());
        }

        LogReplaced(Host);
        _ = CloseAsync(sdk).AsTask();
    }

    public ValueTask DisposeAsync()
    {
        lock (_gate) _isDisposed = true;
        return CloseAsync(Sdk);
    }

    /// <summary>In time, and whatever comes of it: it may be gone already, which is wanted.</summary>
    public async ValueTask CloseAsync(IAsyncDisposable part)
    {
        try
        {
            await part.DisposeAsync().AsTask().WaitAsync(AttemptTime, Time);
        }
        catch (Exception fault) when (ServiceBusFault.Knows(fault, CancellationToken.None))
        {
            // Whatever was locked comes again.
        }
    }

    private ServiceBusClient Create()
    {
        ServiceBusClientOptions client = new()
        {
            TransportType = Options.UseWebSockets ? ServiceBusTransportType.AmqpWebSockets : ServiceBusTransportType.AmqpTcp,
            // Attempts after the first are made here.
            RetryOptions = new() { TryTimeout = Options.AnswerTime, MaxRetries = 0 },
            CustomEndpointAddress = Options.Endpoint,
            CertificateValidationCallback = Options.CertificateCheck,
        };
        return _connection is not null ? new ServiceBusClient(_connection, client)
            : new ServiceBusClient(HostOf(Options.Namespace!), Options.Credential, client);
    }

    private static string Checked(string connection)
    {
        try
        {
            var parts = ServiceBusConnectionStringProperties.Parse(connection);
            if (parts.EntityPath is not null) throw Wrong("the connection string is one queue's; take the namespace's, which has no EntityPath");
            if (parts.Endpoint is not null
                && (parts.SharedAccessSignature ?? (parts.SharedAccessKeyName is null ? null : parts.SharedAccessKey)) is not null) return connection;
        }
        catch (Exception fault) when (fault is FormatException or ArgumentException)
        {
            // Told below.
        }

        throw Wrong("the connection string can't be read: it has the form 'Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…'");
    }

    private static string HostOf(string name)
    {
        var url = name.Contains("://", StringComparison.Ordinal) ? name : $"sb://{name}";
        if (!Uri.TryCreate(url, UriKind.Absolute, out var endpoint) || endpoint.Host.Length == 0 || endpoint.AbsolutePath is not ("" or "/"))
            throw Wrong($"'{name}' is no namespace: give its name, or its host (NAME.servicebus.windows.net)");
        return endpoint.Host.Contains('.', StringComparison.Ordinal) || endpoint.IsLoopback ? endpoint.Host
            : $"{endpoint.Host}.servicebus.windows.net";
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The connection to Service Bus at {Host} no longer answers: it is made anew")]
    private partial void LogReplaced(string host);

    private static TransportException Wrong(string what) => new($"Service Bus can't be used: {what}.", isPermanent: true);

    [GeneratedRegex("^([A-Za-z0-9][A-Za-z0-9._/-]{0,49})?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Prefix();
}
