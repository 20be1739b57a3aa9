using System.IO.Compression;
using Grpc.Core;
using Grpc.Net.Compression;

namespace R1Serverless.Api.Rpc;

/// <summary>Tells the client of a compressed message that can't be read: gRPC's library answers it with UNKNOWN, and logs it as the server's
/// fault.</summary>
internal sealed class CheckedCompression(ICompressionProvider inner) : ICompressionProvider
{
    public string EncodingName => inner.EncodingName;

    public Stream CreateCompressionStream(Stream stream, CompressionLevel? compressionLevel) =>
        inner.CreateCompressionStream(stream, compressionLevel);

    public Stream CreateDecompressionStream(Stream stream) => new Checked(inner.CreateDecompressionStream(stream), EncodingName);

    private sealed class Checked(Stream decoder, string encoding) : ForwardStream
    {
        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            try
            {
                return decoder.Read(buffer);
            }
            catch (InvalidDataException fault)
            {
                throw new RpcException(new Status(StatusCode.InvalidArgument, $"A message is not {encoding}: {fault.Message}"));
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing) decoder.Dispose();
            base.Dispose(disposing);
        }
    }
}
