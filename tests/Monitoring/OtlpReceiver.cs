using System.Collections.Concurrent;
using System.Text;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace R1Serverless.Tests.Monitoring;

/// <summary>A span as it came over OTLP.</summary>
internal sealed record ReceivedSpan(string Service, string Trace, string Id, string Parent, string Name, Dictionary<string, string> Attributes);

/// <summary>The receiving end of OTLP over HTTP with protobuf, as opentelemetry-proto describes it (its field numbers stand in <see cref="Spans"/>
/// and <see cref="Metrics"/>).</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<(string Path, ByteString Body)> _received = new();

    private OtlpReceiver(WebApplication app) => _app = app;

    public string Address => _app.Urls.Single();

    /// <summary>For a process that shall send here, its metrics only when it ends.</summary>
    public Dictionary<string, string> Environment => new(StringComparer.Ordinal)
    {
        ["OTEL_EXPORTER_OTLP_ENDPOINT"] = Address, ["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf", ["OTEL_METRIC_EXPORT_INTERVAL"] = "600000",
        // Spans go on their way at once: what is left at the end has five seconds.
        ["OTEL_BSP_SCHEDULE_DELAY"] = "200",
    };

    /// <summary>All that came, as one text, for what must not be in it.</summary>
    public string Raw => string.Concat(_received.Select(one => Encoding.Latin1.GetString(one.Body.Span)));

    public IReadOnlyList<ReceivedSpan> Spans =>
    [
        .. from resource in Bodies("/v1/traces").SelectMany(body => body.All(1))
           let service = resource.All(1).Single().Attributes(1)["service.name"]
           from span in resource.All(2, 2)
           select new ReceivedSpan(service, span.Hex(1), span.Hex(2), span.Hex(4), span.Text(5), span.Attributes(9)),
    ];

    /// <summary>The names of the metrics of each service.</summary>
    public ILookup<string, string> Metrics =>
        (from resource in Bodies("/v1/metrics").SelectMany(body => body.All(1))
         let service = resource.All(1).Single().Attributes(1)["service.name"]
         from metric in resource.All(2, 2)
         select (service, Name: metric.Text(1))).Distinct().ToLookup(one => one.service, one => one.Name, StringComparer.Ordinal);

    public static async Task<OtlpReceiver> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        OtlpReceiver receiver = new(app);
        app.Run(receiver.TakeAsync);
        await app.StartAsync();
        return receiver;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private IEnumerable<ProtoMessage> Bodies(string path) => _received.Where(one => one.Path == path).Select(one => new ProtoMessage(one.Body));

    private async Task TakeAsync(HttpContext context)
    {
        _received.Enqueue((context.Request.Path.Value!, await ByteString.FromStreamAsync(context.Request.Body)));
        context.Response.ContentType = "application/x-protobuf";
    }
}
