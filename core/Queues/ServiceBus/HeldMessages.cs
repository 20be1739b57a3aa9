using System.Collections.Concurrent;
using Amqp;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>Which messages of a queue this process holds: peeking shows locked messages among the waiting ones, and does not tell which they are.</summary>
internal sealed class HeldMessages(TimeProvider time, TimeSpan lockTime)
{
    private readonly ConcurrentDictionary<long, (Guid LockToken, long Stamp)> _held = new();

    public int Count => _held.Count;

    /// <summary>From now on for as long as a lock lasts.</summary>
    public void Hold(LockedMessage locked) => _held[WireMessage.SequenceOf(locked.Message)] = (locked.LockToken, time.GetTimestamp());

    public void Release(LockedMessage locked)
    {
        long sequence = WireMessage.SequenceOf(locked.Message);
        if (_held.TryGetValue(sequence, out (Guid LockToken, long) held) && held.LockToken == locked.LockToken) _held.TryRemove(KeyValuePair.Create(sequence, held));
    }

    public bool Contains(Message message) => _held.TryGetValue(WireMessage.SequenceOf(message), out (Guid, long Stamp) held) && time.GetElapsedTime(held.Stamp) < lockTime;
}
