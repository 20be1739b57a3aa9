using R1Serverless.Abstractions;
using R1Serverless.Storage;

namespace R1Serverless.Queues;

/// <summary>How events travel back to the gateway that a client is connected to. Best effort: what arrives is in order per request, but some may be
/// missing after a fault, which <see cref="Reply.First"/> shows; the result store has the whole. Safe for several threads.</summary>
public interface IReplyChannel
{
    /// <summary>This instance's own address, for <see cref="QueuedRequest.ReplyTo"/>; new for each process.</summary>
    string Address { get; }

    /// <summary>Sends to the gateway at an address. An address that is gone is no error.</summary>
    /// <exception cref="TransportException">The transport can't be reached.</exception>
    ValueTask SendAsync(string address, IReadOnlyList<Reply> replies, CancellationToken cancellationToken);

    /// <summary>What arrives at <see cref="Address"/>, until cancelled; the only reader. Faults of the transport are retried within.</summary>
    IAsyncEnumerable<Reply> ReceiveAsync(CancellationToken cancellationToken);
}

/// <summary>Consecutive events of one delivery of a request.</summary>
/// <param name="Delivery">The lease's dequeue count: a later delivery begins the answer anew.</param>
/// <param name="First">The number of the first of <paramref name="Events"/> within its delivery, from 0.</param>
public sealed record Reply(RequestId Id, int Delivery, long First, IReadOnlyList<InferenceEvent> Events)
{
    /// <summary>Drawn by the worker for each delivery that it runs: a message that was enqueued twice has two deliveries of one number, which cut
    /// their text differently.</summary>
    public long Run { get; init; }

    /// <summary>Who answers, by its <see cref="Transport.WorkerId"/>, in the first reply of a delivery; null in others.</summary>
    public string? Worker { get; init; }
}
