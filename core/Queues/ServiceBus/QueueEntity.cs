namespace R1Serverless.Queues.ServiceBus;

/// <summary>One queue of the service with its dead letters.</summary>
internal sealed class QueueEntity(BusConnection bus, string name, TimeSpan lockTime)
{
    public HeldMessages Held { get; } = new(bus.Time, lockTime);

    public EntitySender Sender { get; } = new(bus, name);

    public EntityReceiver Receiver { get; } = new(bus, name, lockTime);

    public EntityManagement Management { get; } = new(bus, name);

    public EntityReceiver DeadReceiver { get; } = new(bus, $"{name}/$DeadLetterQueue", lockTime);

    public EntityManagement DeadManagement { get; } = new(bus, $"{name}/$DeadLetterQueue");

    /// <summary>Ends receiving and gives back at once what nobody got.</summary>
    public async ValueTask CloseAsync()
    {
        await GiveBackAsync(Receiver, Management);
        await GiveBackAsync(DeadReceiver, DeadManagement);
    }

    private static async ValueTask GiveBackAsync(EntityReceiver receiver, EntityManagement management)
    {
        try
        {
            foreach (LockedMessage left in await receiver.CloseAsync()) await management.AbandonAsync(left.LockToken, CancellationToken.None);
        }
        catch (TransportException)
        {
            // Their locks end by themselves.
        }
    }
}
