using Amqp;
using Amqp.Framing;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>Tells when a link has been attached, or refused. A refusal comes as an attachment to nothing, and then the reason.</summary>
internal sealed class Attachment
{
    private readonly TaskCompletionSource<Attach> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static Error Lost => new("amqp:link:detach-forced") { Description = "The link was closed." };

    /// <summary>Whether a link is of no more use; the library itself says so a moment later than it refuses to send.</summary>
    public static bool IsOver(Link link) => link.IsClosed || link.LinkState > LinkState.Attached;

    /// <summary>To be given to the link's constructor.</summary>
    public void OnAttached(ILink link, Attach attach)
    {
        if ((attach.Role ? attach.Target : attach.Source) is not null) _done.TrySetResult(attach);
    }

    /// <summary>What the other side said to it.</summary>
    /// <exception cref="AmqpException">It was refused.</exception>
    public Task<Attach> WatchAsync(Link link)
    {
        link.AddClosedCallback((_, error) => _done.TrySetException(new AmqpException(error ?? Lost)));
        return _done.Task;
    }
}
