using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues.Webhooks;

namespace R1Serverless.Api.Webhooks;

/// <summary>Calls clients' webhooks: signed, without following redirects, and only where <see cref="WebhookHosts"/> let it.</summary>
internal sealed partial class WebhookSender : IDisposable
{
    /// <summary>For one call, the answer's head included. Bodies of answers are not read.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(5);

    private readonly WebhookHosts _hosts;
    private readonly WebhookSecret _secret;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly HttpClient _client;

    public WebhookSender(WebhookHosts hosts, WebhookSecret secret, TimeProvider time, ILogger log)
    {
        (_hosts, _secret, _time, _log) = (hosts, secret, time, log);
        _client = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false, UseCookies = false, UseProxy = false, ConnectTimeout = ConnectLimit,
            PooledConnectionLifetime = TimeSpan.FromMinutes(1), ConnectCallback = ConnectAsync,
        })
        { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>One try. See <see cref="WebhookSend"/>.</summary>
    public async Task<WebhookOutcome> SendAsync(WebhookDelivery delivery, RequestAnswer answer, CancellationToken cancellationToken)
    {
        Uri url = new(delivery.Url);
        if (_hosts.Refusal(url) is { } refusal)
        {
            LogFailed(delivery.Id, refusal);
            return WebhookOutcome.Refused;
        }

        var body = JsonSerializer.SerializeToUtf8Bytes(new WebhookBody($"request.{answer.Status}", answer), WireJson.Relaxed.WebhookBody);
        using var request = Write(url, delivery.Id, body);
        using CancellationTokenSource late = new(Limit, _time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        try
        {
            using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stop.Token);
            if (response.IsSuccessStatusCode) return WebhookOutcome.Delivered;
            LogFailed(delivery.Id, string.Create(CultureInfo.InvariantCulture, $"it answered {(int)response.StatusCode}"));
            return response.StatusCode == HttpStatusCode.Gone ? WebhookOutcome.Refused : WebhookOutcome.Failed;
        }
        catch (HttpRequestException fault)
        {
            LogFailed(delivery.Id, fault.Message);
            return WebhookOutcome.Failed;
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            LogFailed(delivery.Id, "it did not answer in time");
            return WebhookOutcome.Failed;
        }
    }

    public void Dispose() => _client.Dispose();

    private HttpRequestMessage Write(Uri url, string id, byte[] body)
    {
        var now = _time.GetUtcNow().ToUnixTimeSeconds();
        HttpRequestMessage request =
            new(HttpMethod.Post,
            url)
            { Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } } };
        request.Headers.Add("webhook-id", id);
        request.Headers.Add("webhook-timestamp", now.ToString(CultureInfo.InvariantCulture));
        request.Headers.Add("webhook-signature", _secret.Sign(id, now, body));
        return request;
    }

    /// <summary>The address is looked at where it is used: a name may stand for another by the time a connection is made.</summary>
    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        (var host, var port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        IPAddress[] addresses = [.. (await Dns.GetHostAddressesAsync(host, cancellationToken)).Where(address => _hosts.MayConnect(host, address))];
        if (addresses.Length == 0) throw new HttpRequestException($"'{host}' stands for no address that webhooks may go to");
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The webhook of request {RequestId} could not be called: {Reason}")]
    private partial void LogFailed(string requestId, string reason);
}
