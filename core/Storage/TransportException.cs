namespace R1Serverless.Storage;

/// <summary>The queue, the reply channel or the store can't be reached or refuses; a retry may help unless <see cref="IsPermanent"/>.</summary>
public sealed class TransportException : Exception
{
    public TransportException(string message, Exception? inner = null, bool isPermanent = false)
        : base(message, inner) => IsPermanent = isPermanent;

    /// <summary>The configuration is wrong (no such account, no permission): the operator must act.</summary>
    public bool IsPermanent { get; }
}
