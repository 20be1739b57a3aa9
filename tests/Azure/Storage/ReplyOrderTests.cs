using CsCheck;
using R1Serverless.Abstractions;
using R1Serverless.Azure.Storage;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Azure.Storage;

public sealed class ReplyOrderTests
{
    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(500);

    [Fact]
    public void Messages_come_out_as_each_sender_sent_them_once_whatever_their_order_of_arrival() =>
        Gen.Shuffle(Enumerable.Range(0, 24).Concat([3, 7, 7, 20]).ToArray()).Sample(arrivals =>
        {
            ReplyOrder order = new(Window);
            List<Reply> taken = [];
            foreach (var arrival in arrivals)
            {
                // Two senders: even and odd.
                order.Add($"s{arrival % 2}", arrival / 2, [Event(arrival % 2, arrival / 2)], TimeSpan.Zero);
                taken.AddRange(order.Take(TimeSpan.Zero));
            }

            Assert.False(order.IsWaiting);
            foreach (var sender in (int[])[0, 1])
                Assert.Equal(Enumerable.Range(0, 12).Select(i => (long)i),
                    taken.Where(reply => reply.Id.Value == $"s{sender}").Select(reply => reply.First));
        });

    [Fact]
    public void What_is_missing_is_waited_for_within_the_window_and_given_up_after_it()
    {
        ReplyOrder order = new(Window);
        order.Add("s", 0, [Event(0, 0)], TimeSpan.Zero);
        order.Add("s", 2, [Event(0, 2)], TimeSpan.FromSeconds(1));

        Assert.Equal([0], Firsts(order.Take(TimeSpan.FromSeconds(1))));
        Assert.True(order.IsWaiting);
        Assert.Empty(order.Take(TimeSpan.FromSeconds(1.4)));
        Assert.Equal([2], Firsts(order.Take(TimeSpan.FromSeconds(1.5))));

        order.Add("s", 1, [Event(0, 1)], TimeSpan.FromSeconds(1.6));
        Assert.Empty(order.Take(TimeSpan.FromSeconds(9)));
        order.Add("s", 3, [Event(0, 3)], TimeSpan.FromSeconds(9));
        Assert.Equal([3], Firsts(order.Take(TimeSpan.FromSeconds(9))));
    }

    [Fact]
    public void A_sender_that_has_been_silent_for_long_is_forgotten_and_heard_again()
    {
        ReplyOrder order = new(Window);
        order.Add("s", 0, [Event(0, 0)], TimeSpan.Zero);
        order.Take(TimeSpan.Zero);
        order.Take(TimeSpan.FromMinutes(11));

        order.Add("s", 1, [Event(0, 1)], TimeSpan.FromMinutes(12));
        Assert.Empty(order.Take(TimeSpan.FromMinutes(12)));
        Assert.Equal([1], Firsts(order.Take(TimeSpan.FromMinutes(12) + Window)));
    }

    [Fact]
    public void Replies_are_packed_into_as_few_messages_as_the_limit_allows_and_only_a_long_one_exceeds_it()
    {
        Reply[] replies = [.. Enumerable.Range(0, 40).Select(i => Event(0, i, i == 17 ? 3000 : 100))];

        byte[][] packed = [.. ReplyMessage.Pack(replies, 2048)];

        Assert.Equal(Enumerable.Range(0, 40).Select(i => (long)i),
            packed.SelectMany(body => MessageFormat.ReadReplies(body)).Select(reply => reply.First));
        Assert.Equal(1, packed.Count(body => body.Length > 2048));
        Assert.InRange(packed.Length, 5, 12);
        Assert.Equal(("s", 41, 1),
            (ReplyMessage.Read(ReplyMessage.Write("s", 41, packed[0])) is { } read ? (read.Sender, read.Number, read.Replies[1].First) : default));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("s x\n{}")]
    [InlineData("s 1\n{}")]
    [InlineData("s -1\n")]
    public void What_is_no_reply_is_malformed(string message) =>
    Assert.Throws<MalformedMessageException>(() => ReplyMessage.Read(System.Text.Encoding.UTF8.GetBytes(message)));

    private static IEnumerable<long> Firsts(IEnumerable<Reply> replies) => replies.Select(reply => reply.First);

    private static Reply Event(int sender, long first, int length = 1) =>
        new(new RequestId($"s{sender}"), 1, first, [new InferenceEvent.Delta(0, DeltaKind.Answer, new string('x', length))]);
}
