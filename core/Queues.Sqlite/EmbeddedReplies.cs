using System.Runtime.CompilerServices;
using System.Threading.Channels;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Sqlite;

/// <summary>Replies: to this instance itself directly, to others through a table in <c>queue.db</c>, which they look at within 25 ms.</summary>
internal sealed class EmbeddedReplies(QueueDatabase database, TimeProvider time, EmbeddedOptions options) : IReplyChannel
{
    private const int SendsPerPurge = 500;

    /// <summary>Changes are told; this is for faults while looking for them.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(1);

    private readonly Channel<Reply> _own = Channel.CreateUnbounded<Reply>(new UnboundedChannelOptions { SingleReader = true });
    private readonly AsyncSignal _arrived = new();
    private int _sends;

    public string Address { get; } = RequestId.New().Value;

    public async ValueTask SendAsync(string address, IReadOnlyList<Reply> replies, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (address == Address)
        {
            foreach (var reply in replies) _own.Writer.TryWrite(reply);
            _arrived.Set();
            return;
        }

        var body = MessageFormat.Write(replies);
        await database.WriteAsync(tables => tables.Replies.Add(address, options.Milliseconds, body));
        if (Interlocked.Increment(ref _sends) % SendsPerPurge == 0) await PurgeAsync();
    }

    public async IAsyncEnumerable<Reply> ReceiveAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var watching = database.Watch(_arrived);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var seen = _arrived.Version;
            var any = false;
            while (_own.Reader.TryRead(out var reply))
            {
                any = true;
                yield return reply;
            }

            foreach (var body in await TakeAsync())
            {
                any = true;
                foreach (var reply in Read(body)) yield return reply;
            }

            if (!any) await _arrived.WaitAsync(seen, LongestWait, time, cancellationToken);
        }
    }

    /// <summary>Removes what was sent to gateways that are gone.</summary>
    public Task<int> PurgeAsync() =>
        database.WriteAsync(tables => tables.Replies.Purge(options.Milliseconds - (long)options.ReplyAge.TotalMilliseconds));

    /// <summary>Removes what can't be received any more.</summary>
    public async ValueTask CloseAsync()
    {
        try
        {
            await database.WriteAsync(tables => tables.Replies.RemoveAll(Address));
        }
        catch (Exception fault) when (fault is TransportException or InvalidOperationException)
        {
            // Never opened, closed already, or out of reach: age will remove them.
        }
    }

    /// <summary>What can't be read is left out: the result store has the whole.</summary>
    private static IReadOnlyList<Reply> Read(byte[] body)
    {
        try
        {
            return MessageFormat.ReadReplies(body);
        }
        catch (MalformedMessageException)
        {
            return [];
        }
    }

    private async ValueTask<List<byte[]>> TakeAsync()
    {
        try
        {
            if (!await database.ReadAsync(tables => tables.Replies.IsThere(Address))) return [];
            return await database.WriteAsync(tables => tables.Replies.Take(Address));
        }
        catch (TransportException fault) when (!fault.IsPermanent)
        {
            // They are looked for again after the longest wait.
            return [];
        }
    }
}
