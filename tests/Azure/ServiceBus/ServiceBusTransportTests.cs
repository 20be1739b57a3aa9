using System.Text;
using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Storage;
using R1Serverless.Tests.Azure.Broker;
using R1Serverless.Tests.Queues.Contract;

namespace R1Serverless.Tests.Azure.ServiceBus;

/// <summary>What this transport does in its own way.</summary>
public sealed class ServiceBusTransportTests : TransportContract
{
    private ServiceBusFixture Bus => (ServiceBusFixture)Fixture;

    [Fact]
    public async Task A_delayed_abandon_keeps_age_and_count_over_several_copies()
    {
        await Gateway.Queue.EnqueueAsync([Request("a")], Stop);
        var delay = TimeSpan.FromSeconds(10);
        for (var delivery = 1; delivery <= 4; delivery++)
        {
            var lease = Assert.Single(await Worker.Queue.LeaseAsync(WorkClass.Interactive, 1, Patience, Stop));
            Assert.Equal(delivery, lease.DequeueCount);
            Assert.True(lease.Age >= delay * (delivery - 1));
            Assert.True(lease.Age <= (delay + TimeSpan.FromSeconds(1)) * (delivery - 1) + TimeSpan.FromSeconds(20));
            Assert.True(await lease.AbandonAsync(delay, Stop));
            Assert.Equal(1, await Bus.Broker.AskAsync(() => Bus.Broker.Queue("r1-interactive").Count));
            await Fixture.PassAsync(delay);
        }
    }

    [Fact]
    public async Task What_the_service_itself_put_aside_has_its_reason()
    {
        await using ServiceBusFixture strict = new(options => options with { MaxDeliveries = 2 });
        var transport = await strict.ConnectAsync();
        await transport.Queue.EnqueueAsync([Request("a")], Stop);
        for (var delivery = 1; delivery <= 2; delivery++)
            Assert.True(
                await Assert.Single(await transport.Queue.LeaseAsync(WorkClass.Interactive, 1, Patience, Stop)).AbandonAsync(TimeSpan.Zero, Stop));
        var letter = Assert.Single(await transport.Queue.PeekDeadLettersAsync(WorkClass.Interactive, 10, Stop));
        Assert.Equal(("a", 2), (letter.RequestId, letter.DequeueCount));
        Assert.Contains("after 2 delivery attempts", letter.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    public async Task A_body_over_the_limit_goes_to_the_store_until_it_is_done(int excess, bool isStored)
    {
        await using ServiceBusFixture fixture = new();
        var size = MessageFormat.Write(Request("a", prompt: "")).Length;
        var limit = size + 4000;
        await using var transport = fixture.New(fixture.Options with { LargestBody = limit });
        await transport.Queue.EnqueueAsync([Request("a", prompt: new string('x', 4000 + excess))], Stop);
        Assert.Equal(isStored ? 1 : 0, await BodiesAsync(fixture));

        var lease = Assert.Single(await transport.Queue.LeaseAsync(WorkClass.Interactive, 1, Patience, Stop));
        Assert.Equal(4000 + excess, ((Prompt.Text)lease.Message.Request.Prompt).Value.Length);
        Assert.True(await lease.CompleteAsync(Stop));
        Assert.Equal(0, await BodiesAsync(fixture));
    }

    [Fact]
    public async Task A_message_at_the_border_fits_the_service_and_one_above_its_limit_is_refused_in_words()
    {
        await Gateway.Queue.EnqueueAsync([Request("a", prompt: new string('x', Bus.Options.LargestBody - 2000))], Stop);
        await using var reckless = Bus.New(Bus.Options with { LargestBody = 1 << 20 });
        var fault = await Assert.ThrowsAsync<TransportException>(
            async () => await reckless.Queue.EnqueueAsync([Request("b", prompt: new string('x', 300_000))], Stop));
        Assert.Contains("too large for the queue 'r1-interactive'", fault.Message, StringComparison.Ordinal);
        Assert.True(fault.IsPermanent);
    }

    [Fact]
    public async Task Replies_to_a_gateway_that_is_gone_expire()
    {
        await Worker.Replies.SendAsync("nobody", [new Reply(new RequestId("a"), 1, 0, [])], Stop);
        Assert.Equal(1, await Bus.Broker.AskAsync(() => Bus.Broker.Queue("r1-replies").Count));
        await Fixture.PassAsync(Bus.Options.ReplyAge + TimeSpan.FromSeconds(1));
        Assert.Equal(0, await Bus.Broker.AskAsync(() => Bus.Broker.Queue("r1-replies").Count));
    }

    [Fact]
    public async Task A_deep_queue_is_measured_by_its_sequence_numbers()
    {
        var body = Encoding.UTF8.GetBytes("{}");
        await Bus.Broker.AskAsync(() =>
        {
            for (var i = 0; i < 3000; i++) Bus.Broker.Queue("r1-bulk").Enqueue(BrokerMessage.Of(body));
            return true;
        });
        await Fixture.PassAsync(TimeSpan.FromSeconds(90));
        var statistics = await Gateway.Queue.StatisticsAsync(WorkClass.Bulk, Stop);
        Assert.Equal(3000, statistics.Waiting);
        Assert.InRange(statistics.OldestAge!.Value, TimeSpan.FromSeconds(85), TimeSpan.FromMinutes(5));
    }

    [Fact]
    public async Task While_nobody_leases_nothing_stays_locked_and_no_delivery_is_counted()
    {
        Assert.Empty(await Worker.Queue.LeaseAsync(WorkClass.Interactive, 8, TimeSpan.Zero, Stop));
        await Gateway.Queue.EnqueueAsync(Requests("a", 5), Stop);
        await Fixture.PassAsync(TimeSpan.FromSeconds(1));
        await Eventually.HoldsAsync(async () => await LockedAsync() == 0, () => "all messages are unlocked");
        List<Lease> leases = [];
        await Eventually.HoldsAsync(
            async () =>
            {
                leases.AddRange(await Worker.Queue.LeaseAsync(WorkClass.Interactive, 2 - leases.Count, Patience, Stop));
                return leases.Count == 2;
            },
            () => "two leases");
        Assert.All(leases, lease => Assert.Equal(1, lease.DequeueCount));
        await Eventually.HoldsAsync(async () => await LockedAsync() == 2, () => "two messages are locked");
    }

    [Fact]
    public async Task What_stands_behind_a_request_that_has_waited_comes_with_it()
    {
        await Gateway.Queue.EnqueueAsync(Requests("a", 5), Stop);
        await Fixture.PassAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(4, (await Worker.Queue.LeaseAsync(WorkClass.Interactive, 4, Patience, Stop)).Count);
        Assert.Single(await Worker.Queue.LeaseAsync(WorkClass.Interactive, 4, Patience, Stop));
    }

    [Fact]
    public async Task Text_of_another_program_is_read_as_bytes_are()
    {
        var json = Encoding.UTF8.GetString(MessageFormat.Write(Request("a")));
        await Bus.Broker.AskAsync(() =>
        {
            Bus.Broker.Queue("r1-interactive").Enqueue(new Amqp.Message(json));
            return true;
        });
        Assert.Equal("a", Assert.Single(await Worker.Queue.LeaseAsync(WorkClass.Interactive, 1, Patience, Stop)).Message.Request.Id.Value);
    }

    [Fact]
    public async Task A_job_of_another_program_keeps_the_id_it_was_given_and_is_put_aside_with_its_reason()
    {
        Amqp.Message job = new("no job") { Properties = new Amqp.Framing.Properties { MessageId = "order-17" } };
        await Bus.Broker.AskAsync(() =>
        {
            Bus.Broker.Queue("inference-jobs").Enqueue(job);
            return true;
        });
        var first = (await Worker.Jobs.LeaseAsync(Patience, Stop))!;
        await first.AbandonAsync(TimeSpan.FromSeconds(5), Stop);
        await Fixture.PassAsync(TimeSpan.FromSeconds(6));
        var second = (await Worker.Jobs.LeaseAsync(Patience, Stop))!;
        Assert.Equal(("order-17", "order-17", "no job"), (first.Id, second.Id, Encoding.UTF8.GetString(second.Message.Span)));

        await second.DeadLetterAsync("it is no job", Stop);
        var letter =
            await Bus.Broker.AskAsync(() => Assert.Single(Bus.Broker.Queue("inference-jobs").DeadLetters!.Peek(0, 10)).ToMessage(isPeeked: true));
        Assert.Equal("it is no job", letter.ApplicationProperties["DeadLetterErrorDescription"]);
    }

    protected override ValueTask<TransportFixture> CreateFixtureAsync() => ValueTask.FromResult<TransportFixture>(new ServiceBusFixture());

    private static async Task<int> BodiesAsync(ServiceBusFixture fixture)
    {
        var count = 0;
        await foreach (var _ in fixture.Store.ListAsync(ClaimCheck.Folder, Stop)) count++;
        return count;
    }

    private Task<int> LockedAsync() =>
        Bus.Broker.AskAsync(() => Bus.Broker.Queue("r1-interactive").Peek(0, 100).Count(message => message.LockToken is not null));
}
