using System.Globalization;
using System.Text;
using Azure.Core;
using Azure.Storage.Queues;
using Azure.Storage.Queues.Models;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Abstractions;
using R1Serverless.Azure.Storage;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Azure.Storage;

/// <summary>What only this transport has: its limit, its claim checks, its reply queues, and calls that are cut off.</summary>
public sealed class StorageTransportTests(AzuriteFixture azurite)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    public async Task A_body_is_put_into_the_store_from_the_first_byte_over_64_KiB_and_goes_with_its_message(int over, int objects)
    {
        await using var transport = await OpenAsync(await azurite.OptionsAsync());
        var request = Sized(MessageQueue.MaxBytes + over);
        await transport.Queue.EnqueueAsync([request], Stop);
        Assert.Equal(objects, await BodiesAsync(transport));
        Assert.Equal("r", Assert.Single(await transport.Queue.PeekAsync(WorkClass.Bulk, 5, Stop)).RequestId);

        var lease = await LeaseAsync(transport);
        Assert.True(await lease.DeadLetterAsync("no", Stop));
        // The letter holds the whole message and is too long itself then.
        Assert.Equal(1, await BodiesAsync(transport));
        Assert.Equal("r", Assert.Single(await transport.Queue.PeekDeadLettersAsync(WorkClass.Bulk, 5, Stop)).RequestId);

        Assert.Equal(1, await transport.Queue.RedriveAsync(WorkClass.Bulk, 5, Stop));
        lease = await LeaseAsync(transport);
        Assert.Equivalent(request, lease.Message, strict: true);
        Assert.True(await lease.CompleteAsync(Stop));
        Assert.Equal(0, await BodiesAsync(transport));
    }

    [Theory]
    [InlineData("claim:bodies/00000000000000000000000000000000", "is gone")]
    [InlineData("claim:results/r.json", "points at an object")]
    [InlineData("claim:bodies/../results/r.json", "points at an object")]
    public async Task A_pointer_to_nothing_or_to_what_is_no_body_is_put_aside_at_once(string message, string reason)
    {
        var options = await azurite.OptionsAsync();
        await using var transport = await OpenAsync(options);
        await transport.Store.PutAsync("results/r.json", "kept"u8.ToArray(), PutCondition.Always, Stop);
        await new QueueClient(options.ConnectionString, $"{options.QueuePrefix}bulk").SendMessageAsync(
            Convert.ToBase64String(Encoding.UTF8.GetBytes(message)), Stop);

        Assert.Empty(await transport.Queue.LeaseAsync(WorkClass.Bulk, 1, TimeSpan.Zero, Stop));

        var dead = Assert.Single(await transport.Queue.PeekDeadLettersAsync(WorkClass.Bulk, 5, Stop));
        Assert.Contains(reason, dead.Reason, StringComparison.Ordinal);
        Assert.True(await transport.Store.ExistsAsync("results/r.json", Stop));
    }

    [Fact]
    public async Task A_message_that_is_no_base64_and_a_letter_that_is_none_are_shown_and_stay()
    {
        var options = await azurite.OptionsAsync();
        await using var transport = await OpenAsync(options);
        await new QueueClient(options.ConnectionString, $"{options.QueuePrefix}bulk").SendMessageAsync("<rubbish> & more", Stop);
        await new QueueClient(options.ConnectionString, $"{options.QueuePrefix}bulk-dead").SendMessageAsync("rubbish", Stop);

        Assert.Null(Assert.Single(await transport.Queue.PeekAsync(WorkClass.Bulk, 5, Stop)).RequestId);
        Assert.Empty(await transport.Queue.LeaseAsync(WorkClass.Bulk, 1, TimeSpan.Zero, Stop));
        Assert.Equal(0, await transport.Queue.RedriveAsync(WorkClass.Bulk, 5, Stop));

        var dead = await transport.Queue.PeekDeadLettersAsync(WorkClass.Bulk, 5, Stop);
        Assert.Equal(2, dead.Count);
        Assert.All(dead, letter => Assert.Equal((null, "The message can't be read: it is no Base64."), (letter.RequestId, letter.Reason)));
    }

    [Fact]
    public async Task What_was_leased_by_a_call_that_is_cancelled_meanwhile_is_given_back()
    {
        using CancellationTokenSource cancel = new();
        var options = (await azurite.OptionsAsync()) with { LeaseTime = TimeSpan.FromHours(1) };
        await using var worker = await OpenAsync(options with
        {
            Http = new FaultyHttp(after: message =>
            {
                if (message.Request.Method.Method == "GET" && message.Request.Uri.Path.EndsWith("bulk-m/messages", StringComparison.Ordinal))
                    cancel.Cancel();
            }),
        });
        await worker.Queue.EnqueueAsync([Sized(500)], Stop);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await worker.Queue.LeaseAsync(WorkClass.Bulk, 1, Patience, cancel.Token));

        Assert.Equal(2, (await LeaseAsync(worker)).DequeueCount);
    }

    [Fact]
    public async Task One_body_that_does_not_come_costs_the_others_a_quarter_of_their_lease_and_they_know_it()
    {
        WatchedTime time = new();
        var options = await azurite.OptionsAsync();
        FaultyHttp http =
            new(hangs: request => request.Method == RequestMethod.Get
                && request.Uri.Path.Contains($"/{ClaimCheck.Folder}", StringComparison.Ordinal));
        await using StorageTransport worker = new(options with { Http = http }, time, NullLogger.Instance);
        await worker.OpenAsync(Stop);
        await worker.Queue.EnqueueAsync([Sized(500, "a"), Sized(MessageQueue.MaxBytes + 1, "b"), Sized(500, "c")], Stop);
        var began = time.GetTimestamp();
        var leasing = worker.Queue.LeaseAsync(WorkClass.Bulk, 3, Patience, Stop).AsTask();
        var patience = options.LeaseTime / 4;
        await time.UntilAwaitedAsync(patience);
        time.Advance(patience);

        var leases = await leasing;
        Assert.Equal(["a", "c"], leases.Select(lease => lease.Message.Request.Id.Value).Order(StringComparer.Ordinal));
        Assert.All(leases, lease => Assert.Equal(began, lease.Since));
    }

    [Fact]
    public async Task Replies_of_many_senders_at_once_keep_the_order_of_each_request()
    {
        const int Senders = 3, Messages = 20;
        var options = await azurite.OptionsAsync();
        await using var gateway = await OpenAsync(options);
        List<StorageTransport> workers = [];
        for (var i = 0; i < Senders; i++) workers.Add(await OpenAsync(options));

        // Sent without waiting for the one before, so that they overtake each other.
        await Task.WhenAll(
            workers.SelectMany(
            (worker, w) => Enumerable.Range(0, Messages)
            .Select(i => worker.Replies.SendAsync(gateway.Replies.Address, [Delta($"w{w}", i)], Stop).AsTask())));

        List<Reply> received = [];
        await foreach (var reply in gateway.Replies.ReceiveAsync(Stop))
        {
            received.Add(reply);
            if (received.Count == Senders * Messages) break;
        }

        for (var w = 0; w < Senders; w++)
            Assert.Equal(Enumerable.Range(0, Messages).Select(i => (long)i),
                received.Where(reply => reply.Id.Value == $"w{w}").Select(reply => reply.First));
        foreach (var worker in workers) await worker.DisposeAsync();
        Assert.Equal(0, await BodiesAsync(gateway));
    }

    [Fact]
    public async Task Reply_queues_of_instances_that_died_are_removed_and_those_of_the_living_stay()
    {
        var options = await azurite.OptionsAsync();
        await using var living = await OpenAsync(options);
        var replies = $"{options.QueuePrefix}replies-";
        QueueServiceClient account = new(options.ConnectionString);
        await account.CreateQueueAsync($"{replies}dead", Seen(TimeSpan.FromHours(2)), Stop);
        await account.CreateQueueAsync($"{replies}recent", Seen(TimeSpan.FromMinutes(30)), Stop);
        await account.CreateQueueAsync($"{replies}unmarked", cancellationToken: Stop);

        var other = await OpenAsync(options);
        await other.DisposeAsync();

        Dictionary<string, bool> left = [];
        await foreach (var item in account.GetQueuesAsync(QueueTraits.Metadata, replies, Stop)) left[item.Name] = item.Metadata.ContainsKey("seen");
        string[] expected = [$"{replies}{living.Replies.Address}", $"{replies}recent", $"{replies}unmarked"];
        Assert.Equal(expected.Order(StringComparer.Ordinal), left.Keys.Order(StringComparer.Ordinal));
        Assert.All(left.Values, Assert.True);

        static Dictionary<string, string> Seen(TimeSpan ago) =>
            new() { ["seen"] = (TimeProvider.System.GetUtcNow() - ago).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture) };
    }

    [Theory]
    [InlineData("")]
    [InlineData("../bulk")]
    [InlineData("0123456789abcdefg")]
    [InlineData("0123456789ABCDEF")]
    public async Task A_reply_address_that_is_none_leads_nowhere(string address)
    {
        var calls = 0;
        StorageTransport transport =
            new((await azurite.OptionsAsync()) with { Http = new FaultyHttp(_ => { calls++; return null; }) }, TimeProvider.System,
                NullLogger.Instance);

        await transport.Replies.SendAsync(address, [Delta("a", 0)], Stop);

        Assert.Equal(0, calls);
    }

    internal static async Task<StorageTransport> OpenAsync(StorageOptions options)
    {
        StorageTransport transport = new(options, TimeProvider.System, NullLogger.Instance);
        await transport.OpenAsync(Stop);
        return transport;
    }

    internal static async Task<Lease> LeaseAsync(StorageTransport transport) =>
        Assert.Single(await transport.Queue.LeaseAsync(WorkClass.Bulk, 1, Patience, Stop));

    internal static Reply Delta(string id, long first) => new(new RequestId(id), 1, first, [new InferenceEvent.Delta(0, DeltaKind.Answer, "x")]);

    /// <summary>A request whose message has just so many bytes.</summary>
    internal static QueuedRequest Sized(int bytes, string id = "r")
    {
        var empty = Bulk("");
        return Bulk(new string('x', bytes - MessageFormat.Write(empty).Length));

        QueuedRequest Bulk(string prompt) =>
            new()
            {
                Request = new InferenceRequest { Id = new RequestId(id), Model = "m", Prompt = new Prompt.Text(prompt) },
                Class = WorkClass.Bulk
            };
    }

    private static async Task<int> BodiesAsync(StorageTransport transport)
    {
        var count = 0;
        await foreach (var _ in transport.Store.ListAsync(ClaimCheck.Folder, Stop)) count++;
        return count;
    }
}
