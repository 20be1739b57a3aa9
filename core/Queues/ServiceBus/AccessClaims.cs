using Amqp;
using Amqp.Framing;
using Azure.Core;
using Microsoft.Extensions.Logging;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>The tokens that a connection has shown to the service's <c>$cbs</c> node, one for each address it uses; shown anew before they expire.</summary>
internal sealed partial class AccessClaims(Connection connection, TokenCredential credential, ServiceBusEndpoint endpoint, TimeProvider time, TimeSpan patience, ILogger log) : IAsyncDisposable
{
    private const string Node = "$cbs";

    private static readonly TokenRequestContext Scope = new(["https://servicebus.azure.net/.default"]);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim _alone = new(1);
    private readonly HashSet<string> _shown = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stop = new();
    private RequestLink? _link;
    private AccessToken _token;
    private Task _refreshing = Task.CompletedTask;

    /// <exception cref="AmqpException">The service refuses the token.</exception>
    public async ValueTask AuthoriseAsync(string address, CancellationToken cancellationToken)
    {
        await _alone.WaitAsync(cancellationToken);
        try
        {
            if (_shown.Contains(address)) return;
            if (_shown.Count == 0) _token = await credential.GetTokenAsync(Scope, cancellationToken);
            await ShowAsync(address, cancellationToken);
            _shown.Add(address);
            if (_shown.Count == 1) _refreshing = RefreshAsync();
        }
        finally
        {
            _alone.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _refreshing;
    }

    /// <summary>A cached token may come back until shortly before it expires: asking again after three quarters of what is left always ends in a new one in time.</summary>
    private async Task RefreshAsync()
    {
        TimeSpan wait = Wait();
        while (!_stop.IsCancellationRequested && !connection.IsClosed)
        {
            try
            {
                await Task.Delay(wait, time, _stop.Token);
                await _alone.WaitAsync(_stop.Token);
                try
                {
                    AccessToken next = await credential.GetTokenAsync(Scope, _stop.Token);
                    bool isNew = next.Token != _token.Token;
                    _token = next;
                    if (isNew) foreach (string address in _shown) await ShowAsync(address, _stop.Token);
                }
                finally
                {
                    _alone.Release();
                }

                wait = Wait();
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception fault) when (ServiceBusFault.Knows(fault, _stop.Token))
            {
                LogNotRefreshed(fault, endpoint.Host);
                wait = Retry;
            }
        }
    }

    private TimeSpan Wait()
    {
        TimeSpan left = (_token.ExpiresOn - time.GetUtcNow()) * 0.75;
        return left > Retry ? left : Retry;
    }

    private async Task ShowAsync(string address, CancellationToken cancellationToken)
    {
        if (_link is null or { IsClosed: true }) _link = await RequestLink.AttachAsync(new Session(connection), Node, patience, time, cancellationToken);
        Message request = new(_token.Token)
        {
            ApplicationProperties = new ApplicationProperties
            {
                ["operation"] = "put-token",
                ["type"] = "jwt",
                ["name"] = endpoint.Audience(address),
                ["expiration"] = _token.ExpiresOn.UtcDateTime,
            },
        };
        Message response = await _link.AskAsync(request, patience, time, cancellationToken);
        int status = response.ApplicationProperties?["status-code"] as int? ?? 0;
        if (status is < 200 or > 299)
        {
            string condition = status is 401 or 403 ? "amqp:unauthorized-access" : status == 404 ? "amqp:not-found" : "amqp:internal-error";
            throw new AmqpException(new Error(condition) { Description = response.ApplicationProperties?["status-description"] as string ?? $"The token was refused with status {status}." });
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The token for Service Bus at {Host} could not be refreshed; it is tried again")]
    private partial void LogNotRefreshed(Exception fault, string host);
}
