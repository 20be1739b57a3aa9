using R1Serverless.Auth;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Auth;

/// <summary>Keys in memory, which a test changes and breaks.</summary>
internal sealed class FakeKeySource : KeySource
{
    public override string Description => "the test";

    public override TimeSpan Interval { get; } = TimeSpan.FromSeconds(1);

    /// <summary>Null for nothing.</summary>
    public ReadOnlyMemory<byte>? Content { get; set; }

    /// <summary>Why it can't be reached; null where it can.</summary>
    public string? Fault { get; set; }

    public IReadOnlyList<ApiKey> Keys
    {
        set => Content = KeyFileFormat.Write(value);
    }

    public override ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken) =>
        Fault is null ? ValueTask.FromResult(Content) : throw new KeySourceException(Fault);

    public override ValueTask ChangeAsync(Func<ReadOnlyMemory<byte>?, ReadOnlyMemory<byte>> change, CancellationToken cancellationToken)
    {
        Content = change(Content);
        return ValueTask.CompletedTask;
    }
}
