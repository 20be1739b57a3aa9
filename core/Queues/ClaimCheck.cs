using System.Text;
using R1Serverless.Storage;

namespace R1Serverless.Queues;

/// <summary>Bodies too large for a transport's messages wait in the object store as <c>bodies/{id}</c>; the message carries the name.</summary>
/// <param name="limit">The most bytes that a message may have.</param>
public sealed class ClaimCheck(IObjectStore store, int limit)
{
    public const string Folder = "bodies/";

    // No JSON begins like this.
    private static ReadOnlySpan<byte> Mark => "claim:"u8;

    /// <summary>The most bytes that travel in a message.</summary>
    public int Limit => limit;

    /// <summary>What to put into a message: the body itself, or where it has been put. If the message then can't be sent, the object is left to the
    /// purge, since the message may be in the queue all the same.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> CheckAsync(ReadOnlyMemory<byte> body, CancellationToken cancellationToken)
    {
        if (body.Length <= limit) return body;
        var name = $"{Folder}{Guid.NewGuid():N}";
        await store.PutAsync(name, body, PutCondition.Always, cancellationToken);
        return (byte[])[.. Mark, .. Encoding.ASCII.GetBytes(name)];
    }

    /// <summary>The body that a message stands for.</summary>
    /// <exception cref="MalformedMessageException">The object is gone, or the message names one that is no body.</exception>
    public async ValueTask<ClaimedBody> ClaimAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        if (!message.Span.StartsWith(Mark)) return new ClaimedBody(message, null);
        var name = Encoding.UTF8.GetString(message.Span[Mark.Length..]);
        // Whoever writes into a queue must not have a result or a file taken for a body, and deleted.
        if (!name.StartsWith(Folder, StringComparison.Ordinal) || !Guid.TryParseExact(name.AsSpan(Folder.Length), "N", out _))
            throw new MalformedMessageException("it points at an object that is no body");
        if (await store.GetAsync(name, cancellationToken) is not { } stored) throw new MalformedMessageException($"its body '{name}' is gone");
        return new ClaimedBody(stored.Content, name);
    }

    /// <summary>Reads messages that were leased together; empty if none could be read. Not to be cancelled: what has been leased is handed over. A
    /// message whose body could not be fetched comes again when its lease ends, and so does one whose body takes so long, a quarter of that time,
    /// that the others' leases would end over it.</summary>
    /// <param name="read">Null if a message can't be read, and has been put aside.</param>
    /// <exception cref="TransportException">None could be fetched.</exception>
    public static async ValueTask<IReadOnlyList<Lease>> ReadAsync<T>(IReadOnlyList<T> leased, TimeSpan leaseTime, TimeProvider time,
        Func<T, CancellationToken, ValueTask<Lease?>> read)
    {
        TransportException? missed = null;
        using CancellationTokenSource late = new(leaseTime / 4, time);
        var leases = await Task.WhenAll(leased.Select(async message =>
        {
            try
            {
                return await read(message, late.Token);
            }
            catch (TransportException fault)
            {
                missed = fault;
            }
            catch (OperationCanceledException fault) when (late.IsCancellationRequested)
            {
                missed = new TransportException("The store takes too long to give a request's body.", fault);
            }

            return null;
        }));
        Lease[] fetched = [.. leases.OfType<Lease>()];
        return fetched.Length > 0 || missed is null ? fetched : throw missed;
    }

    /// <summary>The request that a message stands for; null where it can't be read.</summary>
    /// <param name="message">May throw <see cref="MalformedMessageException"/>.</param>
    public async ValueTask<QueuedRequest?> TryReadAsync(Func<ReadOnlyMemory<byte>> message, CancellationToken cancellationToken)
    {
        try
        {
            return MessageFormat.ReadRequest((await ClaimAsync(message(), cancellationToken)).Body);
        }
        catch (MalformedMessageException)
        {
            return null;
        }
    }

    /// <summary>Deletes the object of a message that has left the queue for good.</summary>
    public async ValueTask ReleaseAsync(ClaimedBody claimed, CancellationToken cancellationToken)
    {
        if (claimed.Name is { } name) await store.DeleteAsync(name, cancellationToken);
    }
}

/// <param name="Name">Of the object that held it; null where the message held it itself.</param>
public readonly record struct ClaimedBody(ReadOnlyMemory<byte> Body, string? Name);
