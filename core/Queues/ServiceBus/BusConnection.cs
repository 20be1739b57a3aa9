using Amqp;
using Amqp.Sasl;
using Azure.Core;
using Microsoft.Extensions.Logging;
using R1Serverless.Queues.AzureStorage;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>The one connection of a transport, made when first needed and again after it was lost, with pauses that grow while that fails.</summary>
internal sealed partial class BusConnection(ServiceBusOptions options, TimeProvider time, ILogger log) : IAsyncDisposable
{
    // What the service may send unasked before the connection is taken for dead; it sends heartbeats in half of it.
    private const int IdleMilliseconds = 60_000;

    private readonly SemaphoreSlim _connecting = new(1);
    private readonly TokenCredential? _credential = options.Namespace is null ? null : options.Credential ?? AzureCredentials.Default();
    private OpenConnection? _current;
    private int _failures;
    private bool _isDisposed;

    public ServiceBusEndpoint Endpoint { get; } = ServiceBusEndpoint.Of(options);

    public TimeProvider Time => time;

    public TimeSpan AnswerTime => options.AnswerTime;

    /// <exception cref="TransportException">It can't be made.</exception>
    public async ValueTask<OpenConnection> GetAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (Volatile.Read(ref _current) is { IsClosed: false } open) return open;
        await _connecting.WaitAsync(cancellationToken);
        try
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_current is { IsClosed: false } made) return made;
            if (_current is { } lost)
            {
                LogLost(Endpoint.Host, lost.Reason);
                await lost.DisposeAsync();
                _current = null;
            }

            if (_failures > 0) await Task.Delay(Backoff.Transport.After(_failures, Random.Shared.NextDouble()), time, cancellationToken);
            _failures++;
            _current = await ConnectAsync(cancellationToken);
            _failures = 0;
            LogConnected(Endpoint.Host);
            return _current;
        }
        catch (Exception fault) when (!_isDisposed && ServiceBusFault.Knows(fault, cancellationToken))
        {
            throw Explain(fault, null);
        }
        finally
        {
            _connecting.Release();
        }
    }

    public TransportException Explain(Exception fault, string? address) => ServiceBusFault.Explain(fault, Endpoint.Host, address, Endpoint.KeyName is not null);

    public async ValueTask DisposeAsync()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        if (_current is { } open) await open.DisposeAsync();
    }

    private async Task<OpenConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        ConnectionFactory factory = new();
        factory.AMQP.IdleTimeout = IdleMilliseconds;
        factory.AMQP.ContainerId = $"r1-{Guid.NewGuid():N}";
        if (Endpoint.KeyName is null) factory.SASL.Profile = SaslProfile.Anonymous;
        Address address = new(Endpoint.Host, Endpoint.Port, Endpoint.KeyName, Endpoint.Key, "/", Endpoint.IsEncrypted ? "amqps" : "amqp");
        // The library's own cancelling does not end a handshake that hangs.
        Connection connection = await factory.CreateAsync(address).WaitAsync(options.AnswerTime, time, cancellationToken);
        return new OpenConnection(connection, _credential is null ? null : new AccessClaims(connection, _credential, Endpoint, time, options.AnswerTime, log));
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Connected to Service Bus at {Host}")]
    private partial void LogConnected(string host);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Lost the connection to Service Bus at {Host}: {Reason}")]
    private partial void LogLost(string host, string reason);
}

/// <summary>A connection while it lasts.</summary>
/// <param name="claims">Null where the connection itself was authorised.</param>
internal sealed class OpenConnection(Connection connection, AccessClaims? claims) : IAsyncDisposable
{
    private static readonly TimeSpan CloseTime = TimeSpan.FromSeconds(2);

    private readonly Session _session = new(connection);

    public bool IsClosed => connection.IsClosed || _session.IsClosed;

    public string Reason => (connection.Error ?? _session.Error)?.Description ?? "no reason given";

    /// <summary>That links share which last as long as the connection.</summary>
    public Session Session => _session;

    /// <summary>One of a link's own, which takes all of it with it when it ends.</summary>
    public Session NewSession() => new(connection);

    /// <summary>To be called before a link is attached.</summary>
    public ValueTask AuthoriseAsync(string address, CancellationToken cancellationToken) => claims?.AuthoriseAsync(address, cancellationToken) ?? default;

    public async ValueTask DisposeAsync()
    {
        if (claims is not null) await claims.DisposeAsync();
        try
        {
            await connection.CloseAsync(CloseTime);
        }
        catch (Exception fault) when (ServiceBusFault.Knows(fault, CancellationToken.None))
        {
            // It is gone, which was wanted.
        }
    }
}
