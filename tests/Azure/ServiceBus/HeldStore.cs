using R1Serverless.Storage;

namespace R1Serverless.Tests.Azure.ServiceBus;

/// <summary>A store that a test makes wait, or fail, when an object is read.</summary>
internal sealed class HeldStore(IObjectStore inner) : IObjectStore
{
    public Func<CancellationToken, Task>? BeforeGet { get; set; }

    public async ValueTask<StoredObject?> GetAsync(string name, CancellationToken cancellationToken)
    {
        if (BeforeGet is { } before) await before(cancellationToken);
        return await inner.GetAsync(name, cancellationToken);
    }

    public ValueTask<string?> PutAsync(string name, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken) =>
        inner.PutAsync(name, content, condition, cancellationToken);

    public ValueTask PutAsync(string name, Stream content, CancellationToken cancellationToken) => inner.PutAsync(name, content, cancellationToken);

    public ValueTask<Stream?> OpenAsync(string name, CancellationToken cancellationToken) => inner.OpenAsync(name, cancellationToken);

    public ValueTask<bool> ExistsAsync(string name, CancellationToken cancellationToken) => inner.ExistsAsync(name, cancellationToken);

    public ValueTask<bool> DeleteAsync(string name, CancellationToken cancellationToken) => inner.DeleteAsync(name, cancellationToken);

    public IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, CancellationToken cancellationToken) => inner.ListAsync(prefix, cancellationToken);
}
