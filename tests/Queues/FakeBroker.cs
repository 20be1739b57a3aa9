using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Queues;

/// <summary>Queues, replies and a store in memory, for one thread (<see cref="VirtualTime"/>), with faults at will.</summary>
internal sealed class FakeBroker
{
    private readonly TimeProvider _time;
    private readonly List<Entry> _entries = [];
    private readonly Dictionary<string, List<Reply>> _replies = new(StringComparer.Ordinal);
    private int _token;

    public FakeBroker(TimeProvider time)
    {
        _time = time;
        Store = new MemoryStore(time, Check);
    }

    public MemoryStore Store { get; }

    public TimeSpan LeaseTime { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Nothing can be reached.</summary>
    public bool IsDown { get; set; }

    public Func<Reply, bool> LosesReply { get; set; } = _ => false;

    /// <summary>Messages that were sent to gateways, lost ones included.</summary>
    public List<IReadOnlyList<Reply>> Messages { get; } = [];

    public AsyncSignal Arrived { get; } = new();

    public List<(RequestId Id, string Reason)> DeadLetters { get; } = [];

    /// <summary>Delays that requests were given back with.</summary>
    public List<TimeSpan> Abandoned { get; } = [];

    public int Completed { get; private set; }

    public int Renewals { get; private set; }

    public int Left => _entries.Count;

    /// <summary>Messages that were put into the queues, each time one was.</summary>
    public int Enqueued { get; private set; }

    public void Check()
    {
        if (IsDown) throw new TransportException("the broker is down");
    }

    /// <summary>Takes a lease away, as a queue does that delivers twice.</summary>
    public void Snatch(RequestId id)
    {
        var entry = _entries.Single(each => each.Message.Request.Id == id);
        (entry.Token, entry.VisibleAt) = (0, Now);
    }

    public void Deliver(string address, IReadOnlyList<Reply> replies)
    {
        if (!_replies.TryGetValue(address, out var box)) _replies[address] = box = [];
        box.AddRange(MessageFormat.ReadReplies(MessageFormat.Write(replies)));
        Arrived.Set();
    }

    public IReadOnlyList<Reply> TakeReplies(string address) => _replies.Remove(address, out var box) ? box : [];

    public void Enqueue(IEnumerable<QueuedRequest> requests)
    {
        foreach (var request in requests)
        {
            _entries.Add(new Entry(MessageFormat.ReadRequest(MessageFormat.Write(request)), Now) { VisibleAt = Now });
            Enqueued++;
        }
    }

    /// <summary>Requests of the model m.</summary>
    public IReadOnlyList<Lease> Take(WorkClass workClass, int most, FakeTransport process) => Take(workClass, [new("m")], most, process);

    /// <param name="process">Whose lease it is: it fails when the process is cut off.</param>
    public IReadOnlyList<Lease> Take(WorkClass workClass, IReadOnlyCollection<RequestRoute> routes, int most, FakeTransport process)
    {
        List<Lease> leases = [];
        var ready = _entries.Where(each => each.Message.Class == workClass && each.VisibleAt <= Now
            && (each.Message.IsForAny || routes.Contains(each.Message.Route)));
        foreach (var entry in ready.Take(most).ToArray())
        {
            (entry.Token, entry.VisibleAt, entry.Deliveries) = (++_token, Now + LeaseTime, entry.Deliveries + 1);
            leases.Add(new FakeLease(this, entry, process) { Since = _time.GetTimestamp() });
        }

        return leases;
    }

    public QueueStatistics Statistics(WorkClass workClass)
    {
        Entry[] waiting = [.. _entries.Where(each => each.Message.Class == workClass && each.VisibleAt <= Now)];
        var leased = _entries.Count(each => each.Message.Class == workClass) - waiting.Length;
        return new QueueStatistics(waiting.Length, leased, DeadLetters.Count, waiting.Length > 0 ? Now - waiting[0].EnqueuedAt : null);
    }

    private TimeSpan Now => _time.GetElapsedTime(0);

    private sealed class Entry(QueuedRequest message, TimeSpan enqueuedAt)
    {
        public QueuedRequest Message { get; } = message;

        public TimeSpan EnqueuedAt { get; } = enqueuedAt;

        public TimeSpan VisibleAt { get; set; }

        public int Deliveries { get; set; }

        public int Token { get; set; }
    }

    private sealed class FakeLease(FakeBroker broker, Entry entry, FakeTransport process)
        : Lease(entry.Message, entry.Deliveries, broker.Now - entry.EnqueuedAt)
    {
        private readonly int _token = entry.Token;

        public override ValueTask<bool> RenewAsync(CancellationToken cancellationToken)
        {
            broker.Renewals++;
            return EndAsync(() => entry.VisibleAt = broker.Now + broker.LeaseTime, entry.Token);
        }

        public override ValueTask<bool> CompleteAsync(CancellationToken cancellationToken) => EndAsync(() =>
        {
            broker._entries.Remove(entry);
            broker.Completed++;
        });

        public override ValueTask<bool> AbandonAsync(TimeSpan delay, CancellationToken cancellationToken) => EndAsync(() =>
        {
            entry.VisibleAt = broker.Now + delay;
            broker.Abandoned.Add(delay);
        });

        public override ValueTask<bool> DeadLetterAsync(string reason, CancellationToken cancellationToken) => EndAsync(() =>
        {
            broker._entries.Remove(entry);
            broker.DeadLetters.Add((entry.Message.Request.Id, reason));
        });

        private ValueTask<bool> EndAsync(Action change, int next = 0)
        {
            process.Check();
            if (entry.Token != _token || entry.VisibleAt <= broker.Now) return ValueTask.FromResult(false);
            entry.Token = next;
            change();
            return ValueTask.FromResult(true);
        }
    }
}
