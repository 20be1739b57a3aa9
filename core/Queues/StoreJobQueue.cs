using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using R1Serverless.Abstractions;
using R1Serverless.Storage;

namespace R1Serverless.Queues;

/// <summary>Jobs as objects below <c>inference-jobs/</c>, taken in the order of their names: for a transport whose store is a folder, where a
/// producer only has to move a file to its place. Those put aside lie below <c>inference-jobs-poison/</c>. Nothing is leased, as handling a job twice
/// does no harm.</summary>
public sealed class StoreJobQueue : IJobQueue
{
    public const string Folder = IJobQueue.Name + "/", PoisonFolder = IJobQueue.Name + "-poison/";

    private static readonly TimeSpan MinPause = TimeSpan.FromMilliseconds(100), MaxPause = TimeSpan.FromSeconds(2);

    private readonly IObjectStore _store;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, Handled> _handled = new(StringComparer.Ordinal);

    public StoreJobQueue(IObjectStore store, TimeProvider time) => (_store, _time) = (store, time);

    public async ValueTask EnqueueAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        var name = $"{Folder}{_time.GetUtcNow().ToUnixTimeMilliseconds():D15}-{RequestId.New()}.json";
        await _store.PutAsync(name, message, PutCondition.Absent, cancellationToken);
    }

    public async ValueTask<JobLease?> LeaseAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        var start = _time.GetTimestamp();
        var pause = MinPause;
        while (true)
        {
            if (await FindAsync(cancellationToken) is { } lease) return lease;
            var left = patience - _time.GetElapsedTime(start);
            if (left <= TimeSpan.Zero) return null;
            await Task.Delay(pause < left ? pause : left, _time, cancellationToken);
            pause = pause * 2 < MaxPause ? pause * 2 : MaxPause;
        }
    }

    public async ValueTask PutAsideAsync(string id, ReadOnlyMemory<byte> message, string reason, CancellationToken cancellationToken)
    {
        var name = $"{id}.json";
        // Producers call their messages as they like.
        if (id.Contains('/', StringComparison.Ordinal) || !ObjectName.IsValid(name))
            name = $"{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)))}.json";
        await WriteAsideAsync(name, message, reason, cancellationToken);
    }

    private async ValueTask WriteAsideAsync(string name, ReadOnlyMemory<byte> message, string reason, CancellationToken cancellationToken)
    {
        var letter =
            JsonSerializer.SerializeToUtf8Bytes(new PoisonJob(reason, Encoding.UTF8.GetString(message.Span)), PoisonJson.Default.PoisonJob);
        await _store.PutAsync(PoisonFolder + name, letter, PutCondition.Always, cancellationToken);
    }

    private async ValueTask<JobLease?> FindAsync(CancellationToken cancellationToken)
    {
        await foreach (var entry in _store.ListAsync(Folder, cancellationToken))
        {
            var before = _handled.GetValueOrDefault(entry.Name);
            if (before.Deliveries > 0 && _time.GetElapsedTime(before.At) < before.Pause) continue;
            if (await _store.GetAsync(entry.Name, cancellationToken) is not { } found) continue;
            // Until it has ended, another call on this process passes it by.
            _handled[entry.Name] = new Handled(before.Deliveries + 1, _time.GetTimestamp(), TimeSpan.FromMinutes(1));
            return new Lease(this, entry.Name, found.Content, before.Deliveries + 1);
        }

        return null;
    }

    private async ValueTask RemoveAsync(string name, CancellationToken cancellationToken)
    {
        await _store.DeleteAsync(name, cancellationToken);
        _handled.TryRemove(name, out _);
    }

    private readonly record struct Handled(int Deliveries, long At, TimeSpan Pause);

    private sealed class Lease(StoreJobQueue queue, string name, ReadOnlyMemory<byte> message, int deliveries)
        : JobLease(Path.GetFileNameWithoutExtension(name[Folder.Length..]), message, deliveries)
    {
        public override ValueTask CompleteAsync(CancellationToken cancellationToken) => queue.RemoveAsync(name, cancellationToken);

        public override ValueTask AbandonAsync(TimeSpan delay, CancellationToken cancellationToken)
        {
            queue._handled[name] = new Handled(Deliveries, queue._time.GetTimestamp(), delay);
            return ValueTask.CompletedTask;
        }

        public override async ValueTask DeadLetterAsync(string reason, CancellationToken cancellationToken)
        {
            await queue.WriteAsideAsync(name[Folder.Length..].Replace('/', '_'), Message, reason, cancellationToken);
            await queue.RemoveAsync(name, cancellationToken);
        }
    }
}

/// <summary>A job that was put aside.</summary>
/// <param name="Message">As it came.</param>
public sealed record PoisonJob(string Reason, string Message);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(PoisonJob))]
public sealed partial class PoisonJson : JsonSerializerContext;
