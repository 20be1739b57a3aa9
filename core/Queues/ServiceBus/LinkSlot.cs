namespace R1Serverless.Queues.ServiceBus;

/// <summary>A link that many calls share: attached when first needed, and again after it or its connection was lost.</summary>
internal sealed class LinkSlot<T>(BusConnection bus, string address, Func<OpenConnection, CancellationToken, Task<T>> attach, Func<T, bool> isClosed)
    where T : class
{
    private readonly SemaphoreSlim _attaching = new(1);
    private T? _link;

    public async ValueTask<T> GetAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref _link) is { } open && !isClosed(open)) return open;
        await _attaching.WaitAsync(cancellationToken);
        try
        {
            if (_link is { } made && !isClosed(made)) return made;
            OpenConnection connection = await bus.GetAsync(cancellationToken);
            await connection.AuthoriseAsync(address, cancellationToken);
            T link = await attach(connection, cancellationToken);
            Volatile.Write(ref _link, link);
            return link;
        }
        finally
        {
            _attaching.Release();
        }
    }
}
