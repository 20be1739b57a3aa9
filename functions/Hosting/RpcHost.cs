using System.IO.Compression;
using Grpc.Net.Compression;
using R1Serverless.Api.Rpc;
using R1Serverless.Serving;

namespace R1Serverless.Hosting;

/// <summary>gRPC beside the API, where it was asked for: on ports of its own, since HTTP/2 without encryption can't share one with
/// HTTP/1.1.</summary>
internal static class RpcHost
{
    /// <summary>Kestrel's endpoints as its configuration has them: those of the API, then those for gRPC.</summary>
    public static IConfiguration Endpoints(ServeOptions options)
    {
        Dictionary<string, string?> settings = new(StringComparer.Ordinal);
        foreach (var (number, url) in options.Urls.Concat(options.GrpcUrls).Index())
        {
            // Kestrel opens them in the order of their names, which are numbers.
            var endpoint = $"Endpoints:{number}:";
            settings[endpoint + "Url"] = url;
            settings[endpoint + "Protocols"] = number < options.Urls.Count ? "Http1" : "Http2";
        }

        return new ConfigurationBuilder().AddInMemoryCollection(settings).Build();
    }

    public static void AddRpc(this IServiceCollection services, ServeOptions options) => services.AddGrpc(rpc =>
    {
        // The limit is REST's.
        rpc.MaxReceiveMessageSize = options.MaxBodyBytes;
        rpc.MaxSendMessageSize = null;
        rpc.CompressionProviders =
        [
            new CheckedCompression(new GzipCompressionProvider(CompressionLevel.Fastest)),
            new CheckedCompression(new DeflateCompressionProvider(CompressionLevel.Fastest)),
        ];
    });
}
