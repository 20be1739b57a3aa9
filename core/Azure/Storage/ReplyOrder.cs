using R1Serverless.Queues;

namespace R1Serverless.Azure.Storage;

/// <summary>Puts messages of several senders, numbered from 0 by each, back into the order in which they were sent; drops duplicates. A message that
/// is missing holds up those behind it for <paramref name="window"/> at most, and is given up then. Pure; for one thread.</summary>
internal sealed class ReplyOrder(TimeSpan window)
{
    private static readonly TimeSpan ForgetAfter = TimeSpan.FromMinutes(10);

    private readonly Dictionary<string, Sender> senders = new(StringComparer.Ordinal);

    /// <summary>Whether something waits for what is missing.</summary>
    public bool IsWaiting => senders.Values.Any(sender => sender.Early.Count > 0);

    /// <param name="now">Any clock that only goes forward, the same for all calls.</param>
    public void Add(string sender, long number, IReadOnlyList<Reply> replies, TimeSpan now)
    {
        if (!senders.TryGetValue(sender, out var known)) senders[sender] = known = new Sender();
        known.Last = now;
        if (number >= known.Next) known.Early.TryAdd(number, (replies, now));
    }

    /// <summary>What is in turn by now.</summary>
    public List<Reply> Take(TimeSpan now)
    {
        List<Reply> turn = [];
        foreach ((var name, var sender) in senders)
        {
            while (sender.Early.Count > 0)
            {
                (var number, (var replies, var since)) = sender.Early.First();
                if (number > sender.Next && now - since < window) break;
                turn.AddRange(replies);
                sender.Early.Remove(number);
                sender.Next = number + 1;
            }

            // Removing while enumerating is allowed in a dictionary.
            if (sender.Early.Count == 0 && now - sender.Last > ForgetAfter) senders.Remove(name);
        }

        return turn;
    }

    private sealed class Sender
    {
        public long Next { get; set; }

        public TimeSpan Last { get; set; }

        public SortedDictionary<long, (IReadOnlyList<Reply> Replies, TimeSpan Since)> Early { get; } = [];
    }
}
