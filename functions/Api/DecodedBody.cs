namespace R1Serverless.Api;

/// <summary>A body that is decoded while it is read; one that is not in its coding is the client's fault.</summary>
/// <param name="decoder">Its owner disposes it.</param>
internal sealed class DecodedBody(Stream decoder, string coding) : ForwardStream
{
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            return await decoder.ReadAsync(buffer, cancellationToken);
        }
        catch (Exception fault) when (fault is InvalidDataException or InvalidOperationException)
        {
            throw new UndecodableBodyException(coding, fault);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    // The server reads asynchronously only.
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}

/// <summary>A body is not what its Content-Encoding says.</summary>
internal sealed class UndecodableBodyException(string coding, Exception inner)
    : BadHttpRequestException($"The body is not {coding}, as its header Content-Encoding says, or ends too early.", inner);
