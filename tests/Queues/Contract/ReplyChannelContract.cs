using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues.Contract;

public abstract class ReplyChannelContract : TransportContract
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Replies_arrive_in_order(bool sameInstance)
    {
        const int Count = 40;
        var sender = (sameInstance ? Gateway : Worker).Replies;
        var receiving = ReceiveAsync(Gateway, Count);
        for (var i = 0; i < Count; i += 2)
            await sender.SendAsync(Gateway.Replies.Address, [Delta("a", i, $"{i} "), Delta("a", i + 1, $"{i + 1} é")], Stop);

        var replies = await receiving;
        Assert.Equal(Enumerable.Range(0, Count).Select(i => (long)i), replies.Select(reply => reply.First));
        Assert.All(replies, reply => Assert.Equal((new RequestId("a"), 1), (reply.Id, reply.Delivery)));
        Assert.Equal(new InferenceEvent.Delta(0, DeltaKind.Answer, "39 é"), Assert.Single(replies[^1].Events));
    }

    [Fact]
    public async Task What_was_sent_before_anybody_received_is_not_lost()
    {
        await Worker.Replies.SendAsync(Gateway.Replies.Address, [Delta("a", 0, "x")], Stop);
        Assert.Equal("a", Assert.Single(await ReceiveAsync(Gateway, 1)).Id.Value);
    }

    [Fact]
    public async Task Every_instance_has_an_address_and_receives_only_its_own()
    {
        var other = await Fixture.ConnectAsync();
        Assert.NotEqual(Gateway.Replies.Address, other.Replies.Address);
        await Worker.Replies.SendAsync(other.Replies.Address, [Delta("other", 0, "x")], Stop);
        await Worker.Replies.SendAsync(Gateway.Replies.Address, [Delta("own", 0, "x")], Stop);

        Assert.Equal("own", Assert.Single(await ReceiveAsync(Gateway, 1)).Id.Value);
        Assert.Equal("other", Assert.Single(await ReceiveAsync(other, 1)).Id.Value);
    }

    [Fact]
    public async Task Several_requests_and_events_may_share_a_message()
    {
        Reply two = new(new RequestId("b"), 3, 7,
            [new InferenceEvent.ChoiceFinished(0, FinishReason.Stop), new InferenceEvent.Finished(new Usage(1, 2, 0))]);
        await Worker.Replies.SendAsync(Gateway.Replies.Address, [Delta("a", 0, "x"), two], Stop);

        var replies = await ReceiveAsync(Gateway, 2);
        Assert.Equal("a", replies[0].Id.Value);
        Assert.Equal((two.Id, 3, 7), (replies[1].Id, replies[1].Delivery, replies[1].First));
        Assert.Equal(two.Events, replies[1].Events);
    }

    [Fact]
    public async Task A_long_reply_arrives_whole()
    {
        string text = new('é', 150_000);
        await Worker.Replies.SendAsync(Gateway.Replies.Address, [Delta("a", 0, text), Delta("a", 1, "end")], Stop);
        var replies = await ReceiveAsync(Gateway, 2);
        Assert.Equal(text, ((InferenceEvent.Delta)replies[0].Events[0]).Text);
        Assert.Equal(1, replies[1].First);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(20_000)]
    [InlineData(400_000)]
    public async Task Outputs_arrive_as_they_are(int length)
    {
        byte[] data = [.. Enumerable.Range(0, length).Select(i => (byte)(i * 31))];
        Reply reply = new(new RequestId("a"), 1, 0, [new InferenceEvent.Outputs([new Tensor("y", TensorType.UInt8, [length], data)])]);
        await Worker.Replies.SendAsync(Gateway.Replies.Address, [reply, Delta("b", 0, "end")], Stop);

        var replies = await ReceiveAsync(Gateway, 2);
        Assert.Equal(data, Assert.Single(((InferenceEvent.Outputs)replies[0].Events[0]).Tensors).Data.ToArray());
        Assert.Equal("b", replies[1].Id.Value);
    }

    [Fact]
    public async Task To_send_to_an_instance_that_is_gone_is_no_error()
    {
        var gone = await Fixture.ConnectAsync();
        var address = gone.Replies.Address;
        await gone.DisposeAsync();

        await Worker.Replies.SendAsync(address, [Delta("a", 0, "x")], Stop);
        await Worker.Replies.SendAsync(Gateway.Replies.Address, [Delta("b", 0, "x")], Stop);
        Assert.Equal("b", Assert.Single(await ReceiveAsync(Gateway, 1)).Id.Value);
    }

    [Fact]
    public async Task Receiving_ends_when_it_is_cancelled()
    {
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        await using var receiving = Gateway.Replies.ReceiveAsync(cancel.Token).GetAsyncEnumerator(cancel.Token);
        var next = receiving.MoveNextAsync().AsTask();
        await cancel.CancelAsync();
        var came = false;
        try
        {
            came = await next.WaitAsync(Patience, Stop);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
        }

        Assert.False(came);
    }

    protected static Reply Delta(string id, long first, string text) =>
        new(new RequestId(id), 1, first, [new InferenceEvent.Delta(0, DeltaKind.Answer, text)]);

    protected static async Task<List<Reply>> ReceiveAsync(Transport transport, int count)
    {
        List<Reply> replies = [];
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        late.CancelAfter(Patience);
        await foreach (var reply in transport.Replies.ReceiveAsync(late.Token))
        {
            replies.Add(reply);
            if (replies.Count == count) break;
        }

        Assert.Equal(count, replies.Count);
        return replies;
    }
}
