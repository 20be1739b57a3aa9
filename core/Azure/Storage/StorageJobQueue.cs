using System.Text;
using System.Text.Json;
using R1Serverless.Queues;

namespace R1Serverless.Azure.Storage;

/// <summary>Jobs as messages of a storage queue, in Base64 or as plain JSON, as producers like it; those put aside go to <c>…-poison</c>, as Azure
/// Functions has it.</summary>
internal sealed class StorageJobQueue : IJobQueue
{
    // Handling takes one or two writes to the store.
    private static readonly TimeSpan LeaseTime = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan MinDelay = TimeSpan.FromMilliseconds(100), MaxDelay = TimeSpan.FromSeconds(2),
        RestDelay = TimeSpan.FromSeconds(5);

    private readonly MessageQueue live;
    private readonly MessageQueue poison;
    private readonly PollDelay delay;
    private readonly TimeProvider time;

    public StorageJobQueue(StorageClients clients, string name, TimeProvider time)
    {
        live = new MessageQueue(clients.Queues, clients.QueueService, name);
        poison = new MessageQueue(clients.Queues, clients.QueueService, $"{name}-poison");
        delay = new PollDelay(time, MinDelay, MaxDelay, RestDelay);
        this.time = time;
    }

    public Task OpenAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(live.CreateAsync(null, cancellationToken).AsTask(), poison.CreateAsync(null, cancellationToken).AsTask());

    public async ValueTask EnqueueAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        await live.SendAsync(message, cancellationToken);
        delay.Reset();
    }

    public async ValueTask<JobLease?> LeaseAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        var start = time.GetTimestamp();
        while (true)
        {
            if (await live.ReceiveAsync(1, LeaseTime, cancellationToken) is [var message])
            {
                delay.Reset();
                return new Lease(this, message);
            }

            var left = patience - time.GetElapsedTime(start);
            if (left <= TimeSpan.Zero) return null;
            await delay.WaitAsync(left, cancellationToken);
        }
    }

    public async ValueTask PutAsideAsync(string id, ReadOnlyMemory<byte> message, string reason, CancellationToken cancellationToken)
    {
        // A message near the service's limit would not fit once more with its reason.
        var text = Encoding.UTF8.GetString(message.Span);
        var letter = JsonSerializer.SerializeToUtf8Bytes(new PoisonJob(reason, text), PoisonJson.Default.PoisonJob);
        if (letter.Length > MessageQueue.MaxBytes)
            letter = JsonSerializer.SerializeToUtf8Bytes(new PoisonJob(reason, $"{text[..1000]}…"), PoisonJson.Default.PoisonJob);
        await poison.SendAsync(letter, cancellationToken);
    }

    private sealed class Lease(StorageJobQueue queue, StoredMessage message) : JobLease(message.Id, JobText.Read(message.Text), message.DequeueCount)
    {
        public override async ValueTask CompleteAsync(CancellationToken cancellationToken) =>
            await queue.live.RemoveAsync(message.Id, message.PopReceipt, cancellationToken);

        public override async ValueTask AbandonAsync(TimeSpan delay, CancellationToken cancellationToken) =>
            await queue.live.ExtendAsync(message.Id, message.PopReceipt, TimeSpan.FromSeconds(Math.Ceiling(delay.TotalSeconds)), cancellationToken);

        public override async ValueTask DeadLetterAsync(string reason, CancellationToken cancellationToken)
        {
            await queue.PutAsideAsync(Id, Message, reason, cancellationToken);
            await queue.live.RemoveAsync(message.Id, message.PopReceipt, cancellationToken);
        }
    }
}
