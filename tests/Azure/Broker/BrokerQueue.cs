using Amqp;

namespace R1Serverless.Tests.Azure.Broker;

/// <summary>
/// A queue by Service Bus's documented rules: peek-lock with expiry, delivery count and dead-lettering beyond the most deliveries; scheduled and
/// expiring messages; sessions, each locked by one receiver. Not safe for several threads.
/// </summary>
internal sealed class BrokerQueue
{
    private readonly SortedDictionary<long, BrokerMessage> _messages = [];
    private readonly Dictionary<string, (object Owner, DateTime Until)> _sessions = new(StringComparer.Ordinal);
    private readonly BrokerOptions _options;
    private readonly Func<DateTime> _now;
    private long _sequence;

    public BrokerQueue(string name, BrokerOptions options, Func<DateTime> now, bool isDead = false)
    {
        Name = name;
        _options = options;
        _now = now;
        HasSessions = !isDead && options.SessionQueues.Contains(name);
        DeadLetters = isDead ? null : new BrokerQueue($"{name}/$DeadLetterQueue", options, now, isDead: true);
    }

    public string Name { get; }

    public bool HasSessions { get; }

    /// <summary>Null for a dead-letter queue itself.</summary>
    public BrokerQueue? DeadLetters { get; }

    public int Count => _messages.Count;

    public void Enqueue(Message message)
    {
        var at = _now();
        var due = message.MessageAnnotations?[new Amqp.Types.Symbol("x-opt-scheduled-enqueue-time")] as DateTime?;
        Add(new BrokerMessage
        {
            Encoded = BrokerMessage.Bytes(message),
            Sequence = ++_sequence,
            Enqueued = at,
            Due = due > at ? due : null,
            Expires = message.Header is { Ttl: > 0 and < uint.MaxValue } header ? at.AddMilliseconds(header.Ttl) : null,
            Session = message.Properties?.GroupId,
        });
    }

    /// <summary>The oldest that may be given out, locked; null if there is none.</summary>
    public BrokerMessage? Lock(string? session)
    {
        Pass();
        var next = _messages.Values.FirstOrDefault(
            message => message.LockToken is null && message.Due is null && (!HasSessions || message.Session == session));
        if (next is null) return null;
        next.LockToken = Guid.NewGuid();
        next.LockedUntil = _now() + _options.LockTime;
        return next;
    }

    /// <summary>The end of the lock; null if it is lost.</summary>
    public DateTime? Renew(Guid token) => Find(token) is { } message ? message.LockedUntil = _now() + _options.LockTime : null;

    /// <summary>False if the lock is lost.</summary>
    public bool Complete(Guid token) => Find(token) is { } message && _messages.Remove(message.Sequence);

    /// <inheritdoc cref="Complete"/>
    public bool Abandon(Guid token, bool isCounted = true)
    {
        if (Find(token) is not { } message) return false;
        Unlock(message, isCounted);
        return true;
    }

    /// <inheritdoc cref="Complete"/>
    public bool DeadLetter(Guid token, IEnumerable<KeyValuePair<string, object>> properties)
    {
        if (Find(token) is not { } message || DeadLetters is null) return false;
        PutAside(message, properties);
        return true;
    }

    public IReadOnlyList<BrokerMessage> Peek(long from, int most)
    {
        Pass();
        return [.. _messages.Values.Where(message => message.Sequence >= from).Take(most)];
    }

    /// <summary>The end of the session's lock; null if another has it.</summary>
    public DateTime? Accept(string session, object owner)
    {
        if (_sessions.TryGetValue(session, out var held) && held.Owner != owner && held.Until > _now()) return null;
        var until = _now() + _options.LockTime;
        _sessions[session] = (owner, until);
        return until;
    }

    public DateTime? RenewSession(string session) =>
        _sessions.TryGetValue(session, out (object Owner, DateTime) held) ? Accept(session, held.Owner) : null;

    public bool Holds(string session, object owner) => _sessions.TryGetValue(session, out var held) && held.Owner == owner && held.Until > _now();

    public void LeaveSession(string session, object owner)
    {
        if (_sessions.TryGetValue(session, out (object Owner, DateTime) held) && held.Owner == owner) _sessions.Remove(session);
    }

    /// <summary>What the clock brings: locks end, scheduled messages come due, others expire.</summary>
    public void Pass()
    {
        var at = _now();
        foreach (var message in _messages.Values.ToArray())
        {
            if (message.LockToken is not null && message.LockedUntil <= at) Unlock(message, isCounted: true);
            if (message.LockToken is null && message.Expires <= at) _messages.Remove(message.Sequence);
            if (message.Due <= at)
            {
                _messages.Remove(message.Sequence);
                Add(new BrokerMessage
                {
                    Encoded = message.Encoded, Sequence = ++_sequence, Enqueued = message.Due.Value, Expires = message.Expires,
                    Session = message.Session
                });
            }
        }
    }

    private void Add(BrokerMessage message) => _messages.Add(message.Sequence, message);

    private BrokerMessage? Find(Guid token)
    {
        Pass();
        return _messages.Values.FirstOrDefault(message => message.LockToken == token);
    }

    private void Unlock(BrokerMessage message, bool isCounted)
    {
        message.LockToken = null;
        if (!isCounted) return;
        message.Deliveries++;
        if (message.Deliveries >= _options.MaxDeliveries && DeadLetters is not null)
            PutAside(message,
                [new("DeadLetterReason", "MaxDeliveryCountExceeded"),
                new("DeadLetterErrorDescription", $"Message could not be consumed after {message.Deliveries} delivery attempts.")]);
    }

    private void PutAside(BrokerMessage message, IEnumerable<KeyValuePair<string, object>> properties)
    {
        _messages.Remove(message.Sequence);
        message.LockToken = null;
        message.Modify(properties);
        DeadLetters!.Add(message);
    }
}
