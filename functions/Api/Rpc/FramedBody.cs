using System.Buffers;
using System.IO.Pipelines;
using Grpc.Core;
using Microsoft.AspNetCore.Http.Features;

namespace R1Serverless.Api.Rpc;

/// <summary>The body of a call, whose messages each begin with a byte that is 0 or, of a compressed one, 1, and their length. What else comes is told
/// to the client: gRPC's library answers it with UNKNOWN, and logs it as the server's fault.</summary>
internal sealed class FramedBody : PipeReader, IRequestBodyPipeFeature
{
    private readonly PipeReader _inner;

    private FramedBody(PipeReader inner) => _inner = inner;

    public PipeReader Reader => this;

    /// <summary>Every call to these endpoints has such a body.</summary>
    public static void Guard(EndpointBuilder endpoint)
    {
        var next = endpoint.RequestDelegate!;
        endpoint.RequestDelegate = context =>
        {
            context.Features.Set<IRequestBodyPipeFeature>(new FramedBody(context.Request.BodyReader));
            return next(context);
        };
    }

    public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) =>
        Checked(await _inner.ReadAsync(cancellationToken));

    public override bool TryRead(out ReadResult result)
    {
        if (!_inner.TryRead(out result)) return false;
        Checked(result);
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => _inner.AdvanceTo(consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => _inner.AdvanceTo(consumed, examined);

    public override void CancelPendingRead() => _inner.CancelPendingRead();

    public override void Complete(Exception? exception = null) => _inner.Complete(exception);

    /// <summary>The library takes whole messages, so that what is read always begins with one.</summary>
    private static ReadResult Checked(ReadResult result)
    {
        Span<byte> head = stackalloc byte[2];
        head = head[..(int)Math.Min(head.Length, result.Buffer.Length)];
        result.Buffer.Slice(0, head.Length).CopyTo(head);
        if (head is [> 1 and var flag, ..]) throw Refused($"A message begins with 0 or, compressed, with 1, not with {flag}.");
        // The length is an unsigned number of 32 bits; the library can't read the upper half of them.
        if (head is [_, >= 0x80]) throw Refused("A message says that it has 2 GiB or more.");
        return result;

        static RpcException Refused(string words) => new(new Status(StatusCode.InvalidArgument, words));
    }
}
