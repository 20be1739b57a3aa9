using System.Net.Sockets;
using System.Threading.Channels;
using Amqp;
using Amqp.Framing;
using Amqp.Listener;
using Amqp.Sasl;

namespace R1Serverless.Tests.Azure.Broker;

/// <summary>
/// Stands in for a Service Bus namespace: AMQP 1.0 by a library's listener, over TCP, TLS or WebSockets, with the rules of <see cref="BrokerQueue"/>,
/// tokens shown to <c>$cbs</c>, <c>$management</c> nodes, and faults on command. Sources: Microsoft's AMQP protocol guide for Service Bus and its
/// list of request-response operations.
/// </summary>
internal sealed class StandInBroker : IAsyncDisposable, ILinkProcessor
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(25);

    private readonly Channel<Action> _work = Channel.CreateUnbounded<Action>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Dictionary<string, BrokerQueue> _queues = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<AttachedLink> _links = [];
    private readonly List<Socket> _sockets = [];
    private readonly Door _door;
    private readonly BrokerOptions _options;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _working;
    private readonly Task _ticking;
    private ContainerHost _host;

    public StandInBroker(BrokerOptions options, int port = 0)
    {
        _options = options;
        Port = port == 0 ? QuietPorts.Take() : port;
        foreach (var name in options.Queues)
        {
            BrokerQueue queue = new(name, options, () => options.Clock.GetUtcNow().UtcDateTime);
            _queues.Add(name, queue);
            _queues.Add(queue.DeadLetters!.Name, queue.DeadLetters);
        }

        Claims = new ClaimsNode(this, options);
        _door = new Door(this, options);
        _host = Open();
        _working = WorkAsync();
        _ticking = TickAsync();
    }

    public int Port { get; }

    public string ConnectionString =>
        $"Endpoint=sb://localhost:{Port}/;SharedAccessKeyName={_options.KeyName};SharedAccessKey={_options.Key};UseDevelopmentEmulator=true";

    public ClaimsNode Claims { get; }

    /// <summary>How many settlements are to vanish, and whether they take effect all the same.</summary>
    public (int Count, bool IsApplied) LostSettlements { get; set; }

    public BrokerQueue Queue(string name) => _queues[name];

    public BrokerQueue? Find(string name) => _queues.GetValueOrDefault(name);

    /// <summary>Runs on the broker's one thread of work, after all that has been asked before.</summary>
    public Task<T> AskAsync<T>(Func<T> question)
    {
        TaskCompletionSource<T> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Post(() =>
        {
            try
            {
                answer.TrySetResult(question());
            }
            catch (Exception fault)
            {
                answer.TrySetException(fault);
            }
        });
        return answer.Task;
    }

    public void Post(Action work) => _work.Writer.TryWrite(work);

    /// <summary>Looks at the clock at once.</summary>
    public Task PassAsync() => AskAsync(() =>
    {
        Pass();
        return true;
    });

    /// <summary>Detaches the links of an address, as Service Bus does when it moves an entity; how many there were.</summary>
    public Task<int> DropLinksAsync(string address) => AskAsync(() =>
    {
        AttachedLink[] links = [.. _links.Where(link => link.Address == address)];
        foreach (var link in links) Detach(link, "amqp:link:detach-forced", "The link was dropped on command.");
        return links.Length;
    });

    /// <summary>Breaks all connections without a word; how many there were.</summary>
    /// <summary>Receivers that wait for a message of the queue.</summary>
    public Task<int> WaitingAsync(string queue) => AskAsync(() => _links.Count(link => link.Queue?.Name == queue && link.Credit > 0));

    public Task<int> DropConnectionsAsync() => AskAsync(() =>
    {
        var count = _sockets.Count(socket => socket.Connected);
        foreach (var socket in _sockets) socket.Dispose();
        _sockets.Clear();
        return count;
    });

    /// <summary>Stops listening and breaks all connections; queues stay.</summary>
    public async Task GoDownAsync()
    {
        _host.Close();
        await DropConnectionsAsync();
    }

    public void ComeBack() => _host = Open();

    void ILinkProcessor.Process(AttachContext attachContext)
    {
        // The library counts credit that comes before the attachment is complete itself: this must end on the connection's own thread.
        AskAsync(() =>
        {
            var admittance = _door.Admit(attachContext.Link, attachContext.Attach);
            if (admittance.Link is { } link) _links.Add(link);
            return admittance;
        }).GetAwaiter().GetResult().Complete(attachContext);
    }

    /// <summary>Gives out what may be given out to whom is owed something.</summary>
    internal void Dispatch()
    {
        var isSent = true;
        while (isSent)
        {
            isSent = false;
            // Each in turn, one message at a time.
            foreach (var link in _links.Where(link => link is { Queue: not null, Credit: > 0 }).ToArray()) isSent |= TrySend(link);
        }
    }

    internal void Settle(AttachedLink link, Message message, Guid token, DeliveryState state, bool isSettled)
    {
        var queue = link.Queue!;
        var isLost = LostSettlements.Count > 0;
        if (isLost) LostSettlements = LostSettlements with { Count = LostSettlements.Count - 1 };
        if (isLost && !LostSettlements.IsApplied) return;
        // Service Bus counts an abandoned delivery, whatever the outcome says of it, and none that was released.
        var held = state switch
        {
            Accepted => queue.Complete(token),
            Rejected rejected => queue.DeadLetter(token, DeadLetterProperties(rejected.Error)),
            Modified => queue.Abandon(token),
            Released => queue.Abandon(token, isCounted: false),
            _ => false,
        };
        if (isLost) return;
        // An error in the answer would say that the settlement failed, also where it is the reason of a dead letter.
        if (!isSettled)
            link.Link.DisposeMessage(message,
                !held ? new Rejected { Error = new Error("com.microsoft:message-lock-lost") } : state is Rejected ? new Rejected() : state,
                settled: true);
        Dispatch();
    }

    internal void Forget(AttachedLink link)
    {
        _links.Remove(link);
        if (link is { Queue: { } queue, Session: { } session }) queue.LeaveSession(session, link);
    }

    /// <summary>Answers a request of a node, if the client still listens.</summary>
    internal void Respond(AttachedLink asker, Message request, Message response)
    {
        response.Properties = new Properties();
        response.Properties.SetCorrelationId(request.Properties.GetMessageId());
        var listener = _links.Find(link => link.ReplyTo is not null && link.ReplyTo == request.Properties.ReplyTo && link.Address == asker.Address);
        if (listener is not null) Send(listener, response);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _ticking;
        _host.Close();
        _work.Writer.TryComplete();
        await _working;
        foreach (var socket in _sockets) socket.Dispose();
        _stop.Dispose();
    }

    private static Dictionary<string, object> DeadLetterProperties(Error? error)
    {
        Dictionary<string,
            object> properties =
            new(StringComparer.Ordinal)
            {
                ["DeadLetterReason"] = error?.Condition?.ToString() ?? "",
                ["DeadLetterErrorDescription"] = error?.Description ?? ""
            };
        foreach (var info in error?.Info ?? []) properties[info.Key.ToString()!] = info.Value;
        return properties;
    }

    private static bool Send(AttachedLink link, Message message)
    {
        try
        {
            SessionWindow.Mend(link.Link.Session);
            link.Link.SendMessage(message);
            return true;
        }
        catch (AmqpException)
        {
            // The client has gone.
            link.Credit = 0;
            return false;
        }
    }

    private static void Detach(AttachedLink link, string condition, string description)
    {
        link.Credit = 0;
        link.Link.Close(TimeSpan.Zero, new Error(condition) { Description = description });
    }

    private ContainerHost Open()
    {
        ContainerHost host =
            new(new Address("localhost", Port, null, null, _options.Scheme == "ws" ? "/$servicebus/websocket/" : "/", _options.Scheme));
        var listener = host.Listeners[0];
        listener.SASL.EnableMechanism("MSSBCBS", SaslProfile.Anonymous);
        if (_options.Certificate is { } certificate) listener.SSL.Certificate = certificate;
        listener.HandlerFactory = _ => new ConnectionEvents(socket => Post(() => _sockets.Add(socket)));
        host.RegisterLinkProcessor(this);
        host.Open();
        return host;
    }

    private bool TrySend(AttachedLink link)
    {
        if (link.Session is { } session && !link.Queue!.Holds(session, link))
        {
            Detach(link, "com.microsoft:session-lock-lost", "The session lock has expired.");
            return false;
        }

        if (link.Queue!.Lock(link.Session) is not { } next) return false;
        link.Credit--;
        var isSent = Send(link, next.ToMessage());
        if (!isSent) link.Queue.Abandon(next.LockToken!.Value, isCounted: false);
        else if (link.IsSettling) link.Queue.Complete(next.LockToken!.Value);
        return isSent;
    }

    private void Pass()
    {
        foreach (var queue in _queues.Values) queue.Pass();
        foreach (var link in _links.ToArray())
        {
            SessionWindow.Mend(link.Link.Session);
            if (!Claims.Allows((ListenerConnection)link.Link.Session.Connection, link.Address))
                Detach(link, "amqp:unauthorized-access", "The token has expired.");
            else if (link is { Session: { } session, Queue: { } queue } && !queue.Holds(session, link))
                Detach(link, "com.microsoft:session-lock-lost", "The session lock has expired.");
        }

        Dispatch();
    }

    private async Task WorkAsync()
    {
        await foreach (var work in _work.Reader.ReadAllAsync())
        {
            try
            {
                work();
            }
            catch (Exception fault)
            {
                // Of one piece of work, such as a look at a link whose connection is just breaking: all clients would stand still with this loop.
                Console.Error.WriteLine($"The stand-in broker could not do something: {fault}");
            }
        }
    }

    private async Task TickAsync()
    {
        using PeriodicTimer timer = new(Tick);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token)) Post(Pass);
        }
        catch (OperationCanceledException)
        {
            // The end.
        }
    }
}
