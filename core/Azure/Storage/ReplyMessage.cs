using System.Globalization;
using System.Text;
using R1Serverless.Queues;

namespace R1Serverless.Azure.Storage;

/// <summary>Replies on their way: a line with the sender and the message's number among the sender's, then the replies in the common
/// format.</summary>
public sealed record ReplyMessage(string Sender, long Number, IReadOnlyList<Reply> Replies)
{
    // A sender, a space, the longest number and the line's end.
    private const int MaxHead = 64;

    /// <summary>The replies in as few bodies of up to <paramref name="limit"/> bytes as halving finds; only one long reply makes a longer
    /// one.</summary>
    public static IEnumerable<byte[]> Pack(IReadOnlyList<Reply> replies, int limit)
    {
        var body = MessageFormat.Write(replies);
        if (replies.Count <= 1 || body.Length <= limit - MaxHead) return [body];
        var half = replies.Count / 2;
        return Pack([.. replies.Take(half)], limit).Concat(Pack([.. replies.Skip(half)], limit));
    }

    public static byte[] Write(string sender, long number, byte[] body) =>
        [.. Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{sender} {number}\n")), .. body];

    /// <exception cref="MalformedMessageException">It is no such message.</exception>
    public static ReplyMessage Read(ReadOnlyMemory<byte> message)
    {
        var end = message.Span.IndexOf((byte)'\n');
        var head = end is > 0 and < MaxHead ? Encoding.UTF8.GetString(message.Span[..end]).Split(' ') : [];
        if (head.Length != 2 || !long.TryParse(head[1], NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            throw new MalformedMessageException("it does not say who sent it");
        return new ReplyMessage(head[0], number, MessageFormat.ReadReplies(message[(end + 1)..]));
    }
}
