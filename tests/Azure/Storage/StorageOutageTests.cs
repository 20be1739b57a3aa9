using System.Diagnostics;
using R1Serverless.Azure.Storage;
using R1Serverless.Queues;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Azure.Storage;

/// <summary>The service goes away and comes back, with an Azurite of its own.</summary>
public sealed class StorageOutageTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task While_the_service_is_away_calls_fail_soon_and_afterwards_nothing_is_lost()
    {
        var folder = Directory.CreateTempSubdirectory("r1-azurite-").FullName;
        try
        {
            await using var azurite = await Azurite.StartAsync(folder);
            StorageOptions options = new() { ConnectionString = azurite.ConnectionString, LeaseTime = TimeSpan.FromMinutes(10) };
            await using var gateway = await StorageTransportTests.OpenAsync(options);
            await using var worker = await StorageTransportTests.OpenAsync(options);
            await using var replies = gateway.Replies.ReceiveAsync(Stop).GetAsyncEnumerator(Stop);
            var reply = replies.MoveNextAsync().AsTask();
            await gateway.Queue.EnqueueAsync([StorageTransportTests.Sized(500, "a"), StorageTransportTests.Sized(90_000, "b")], Stop);
            var lease = await StorageTransportTests.LeaseAsync(worker);

            await azurite.StopAsync();

            var watch = Stopwatch.StartNew();
            await FailsAsync(async () => await gateway.Queue.EnqueueAsync([StorageTransportTests.Sized(500, "c")], Stop));
            await FailsAsync(async () => await worker.Queue.LeaseAsync(WorkClass.Bulk, 1, TimeSpan.FromMinutes(5), Stop));
            await FailsAsync(async () => await lease.RenewAsync(Stop));
            await FailsAsync(async () => await worker.Replies.SendAsync(gateway.Replies.Address, [StorageTransportTests.Delta("a", 0)], Stop));
            await FailsAsync(async () => await worker.Store.GetAsync("results/a.json", Stop));
            Assert.InRange(watch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(40));
            Assert.False(reply.IsCompleted);

            await azurite.StartAsync();

            Assert.True(await lease.RenewAsync(Stop));
            Assert.True(await lease.CompleteAsync(Stop));
            await worker.Replies.SendAsync(gateway.Replies.Address, [StorageTransportTests.Delta("a", 1)], Stop);
            Assert.True(await reply.WaitAsync(TimeSpan.FromSeconds(30)));
            Assert.Equal(1, replies.Current.First);
            var second = await StorageTransportTests.LeaseAsync(worker);
            Assert.Equal(["a", "b"], ((string[])[lease.Message.Request.Id.Value, second.Message.Request.Id.Value]).Order(StringComparer.Ordinal));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task FailsAsync(Func<Task> call)
    {
        var fault = await Assert.ThrowsAsync<TransportException>(call);
        Assert.False(fault.IsPermanent);
        Assert.Contains("can't be reached", fault.Message, StringComparison.Ordinal);
    }
}
