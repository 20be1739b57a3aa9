using System.Collections.Concurrent;
using Amqp;
using Amqp.Framing;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>Requests to a node of the service and their responses, over a pair of links. Safe for several threads.</summary>
internal sealed class RequestLink
{
    private const int Credit = 50;

    private readonly ConcurrentDictionary<string, TaskCompletionSource<Message>> _waiting = new(StringComparer.Ordinal);
    private readonly string _replyTo = $"r1-{Guid.NewGuid():N}";
    private readonly SenderLink _sender;
    private readonly ReceiverLink _receiver;
    private readonly Task _attached;

    private RequestLink(Session session, string address)
    {
        Attachment requests = new(), responses = new();
        _sender = new SenderLink(session, $"{_replyTo}-requests", new Attach { Source = new Source { Address = _replyTo }, Target = new Target { Address = address } }, requests.OnAttached);
        _receiver = new ReceiverLink(session, $"{_replyTo}-responses", new Attach { Source = new Source { Address = address }, Target = new Target { Address = _replyTo }, SndSettleMode = SenderSettleMode.Settled }, responses.OnAttached);
        _attached = Task.WhenAll(requests.WatchAsync(_sender), responses.WatchAsync(_receiver));
        _sender.AddClosedCallback((_, error) => Fail(error));
        _receiver.AddClosedCallback((_, error) => Fail(error));
        _receiver.Start(Credit, OnResponse);
    }

    public bool IsClosed => Attachment.IsOver(_sender) || Attachment.IsOver(_receiver);

    public static async Task<RequestLink> AttachAsync(Session session, string address, TimeSpan patience, TimeProvider time, CancellationToken cancellationToken)
    {
        RequestLink link = new(session, address);
        await link._attached.WaitAsync(patience, time, cancellationToken);
        return link;
    }

    /// <exception cref="TimeoutException">No answer came; the request may have been carried out.</exception>
    /// <exception cref="AmqpException">The link broke; the request may have been carried out.</exception>
    public async Task<Message> AskAsync(Message request, TimeSpan patience, TimeProvider time, CancellationToken cancellationToken)
    {
        string id = Guid.NewGuid().ToString("N");
        request.Properties = new Properties { MessageId = id, ReplyTo = _replyTo };
        TaskCompletionSource<Message> response = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _waiting[id] = response;
        try
        {
            // Sent settled: the response is what tells.
            _sender.Send(request, null, null);
            if (IsClosed) Fail(_sender.Error ?? _receiver.Error);
            return await response.Task.WaitAsync(patience, time, cancellationToken);
        }
        finally
        {
            _waiting.TryRemove(id, out _);
        }
    }

    private void OnResponse(IReceiverLink link, Message response)
    {
        // It came settled; this only gives the credit back.
        link.Accept(response);
        if (response.Properties?.GetCorrelationId()?.ToString() is { } id && _waiting.TryRemove(id, out TaskCompletionSource<Message>? who)) who.TrySetResult(response);
    }

    private void Fail(Error? error)
    {
        foreach (TaskCompletionSource<Message> one in _waiting.Values) one.TrySetException(new AmqpException(error ?? Attachment.Lost));
    }
}
