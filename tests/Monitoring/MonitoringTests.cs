using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using R1Serverless.Tests.EndToEnd;

namespace R1Serverless.Tests.Monitoring;

/// <summary>Traces and metrics that leave real processes.</summary>
public sealed class MonitoringTests : IDisposable
{
    private const string Secret = "a-word-that-must-stay-here";
    private static readonly Regex Sample =
        new("^[a-zA-Z_:][a-zA-Z0-9_:]*(\\{([a-zA-Z_][a-zA-Z0-9_]*=\"[^\"]*\",?)*\\})? (?<value>[^ ]+)( [0-9.]+)?$", RegexOptions.ExplicitCapture,
            TimeSpan.FromSeconds(5));

    private readonly string _data = Directory.CreateTempSubdirectory("r1-monitoring-").FullName;

    [Fact]
    public async Task One_trace_leads_from_the_call_over_the_queue_to_the_engine_and_says_nothing_of_what_was_asked()
    {
        await using var receiver = await OtlpReceiver.StartAsync();
        await using var worker = await ServeProcess.StartInAsync(_data, receiver.Environment, "--role", "worker");
        await using var gateway = await ServeProcess.StartInAsync(_data, receiver.Environment, "--role", "gateway");
        var request = ServeProcess.Ask($"What is 127 + 45? {Secret}");
        request.RequestUri = new Uri($"/v1/chat/completions?from={Secret}", UriKind.Relative);
        request.Headers.Authorization = new("Bearer", Secret);
        const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736", Caller = "00f067aa0ba902b7";
        request.Headers.Add("traceparent", $"00-{Trace}-{Caller}-01");
        var response = await gateway.Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await gateway.Client.GetAsync(new Uri("/health/ready", UriKind.Relative))).StatusCode);
        foreach (var process in (ServeProcess[])[gateway, worker])
        {
            process.SendTerminate();
            Assert.Equal(0, await process.ExitAsync());
        }

        ReceivedSpan[] spans = [.. receiver.Spans.Where(span => span.Trace == Trace)];
        string[] way = ["POST /v1/chat/completions", "send interactive", "process interactive", "chat r1-nano"];
        Assert.Equal(way.Order(), spans.Select(span => span.Name).Order());
        var parent = Caller;
        foreach (var name in way)
        {
            var span = spans.Single(one => one.Name == name);
            Assert.Equal((name, parent), (span.Name, span.Parent));
            parent = span.Id;
        }

        Assert.Equal(["r1-gateway", "r1-gateway", "r1-worker", "r1-worker"], way.Select(name => spans.Single(span => span.Name == name).Service));
        Assert.Equal("200", spans.Single(span => span.Name == way[0]).Attributes["http.response.status_code"]);
        Assert.Equal("Finished", spans.Single(span => span.Name == way[2]).Attributes["r1.outcome"]);
        Assert.InRange(int.Parse(spans.Single(span => span.Name == way[3]).Attributes["gen_ai.usage.output_tokens"], CultureInfo.InvariantCulture),
            1, 4096);
        Assert.DoesNotContain(receiver.Spans, span => span.Name.Contains("/health", StringComparison.Ordinal));
        Assert.DoesNotContain(Secret, receiver.Raw, StringComparison.Ordinal);
        string[] atTheGateway = ["http.server.request.duration", "enqueued_requests", "queue_length", "queue_oldest_age", "queue_drain_time",
            "dead_letters"];
        string[] atTheWorker =
        [
            "batch_latency", "batch_rows", "generated_tokens", "prompt_tokens", "inference_requests", "completed_requests", "queue_wait",
            "running_sequences", "waiting_sequences",
            "gen_ai.server.request.duration", "gen_ai.server.time_to_first_token", "gen_ai.server.time_per_output_token", "gen_ai.client.token.usage",
        ];
        Assert.Equal([], atTheGateway.Except(receiver.Metrics["r1-gateway"]));
        Assert.Equal([], atTheWorker.Except(receiver.Metrics["r1-worker"]));
    }

    [Fact]
    public async Task The_metrics_page_is_prometheus_s_text_and_counts_what_was_asked()
    {
        await using var server =
            await ServeProcess.StartInAsync(_data, new Dictionary<string, string> { ["R1_COST_PER_HOUR"] = "3600" }, "--metrics");
        for (var i = 0; i < 2; i++) Assert.Equal(HttpStatusCode.OK, (await server.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?"))).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await server.Client.SendAsync(Unknown())).StatusCode);
        var response = await server.Client.GetAsync(new Uri("/metrics", UriKind.Relative));
        Assert.Equal("text/plain", response.Content.Headers.ContentType!.MediaType);
        var lines =
            (await response.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        string[] samples = [.. lines.Where(line => !line.StartsWith('#'))];
        Assert.All(samples,
            line => Assert.True(
            double.TryParse(Sample.Match(line).Groups["value"].Value.Replace("+Inf", "Infinity", StringComparison.Ordinal),
            CultureInfo.InvariantCulture, out _), line));
        Assert.Equal(2, Value(samples, "inference_requests_total{", "outcome=\"Finished\"", "gen_ai_request_model=\"r1-nano\""));
        Assert.Equal(2,
            Value(samples, "gen_ai_server_request_duration_seconds_count{", "gen_ai_operation_name=\"chat\"", "gen_ai_request_model=\"r1-nano\""));
        Assert.Equal(2,
            Value(samples, "http_server_request_duration_seconds_count{", "http_route=\"/v1/chat/completions\"",
            "http_response_status_code=\"200\""));
        Assert.True(Value(samples, "generated_tokens_total{") > 2);
        Assert.True(Value(samples, "inference_cost_total{") > 0);
        // A client's own words never become the name of a series.
        Assert.DoesNotContain(samples, line => line.Contains("no-such-model", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Nothing_of_it_is_loaded_when_nobody_asks()
    {
        await using var gateway = await ServeProcess.StartInAsync(_data, "--role", "gateway");
        Assert.Equal(HttpStatusCode.NotFound, (await gateway.Client.GetAsync(new Uri("/metrics", UriKind.Relative))).StatusCode);
        Assert.DoesNotContain("OpenTelemetry", await gateway.MappedFilesAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317", "is no address")]
    [InlineData("APPLICATIONINSIGHTS_CONNECTION_STRING", "nonsense", "Application Insights")]
    [InlineData("R1_COST_PER_HOUR", "cheap", "a price")]
    [InlineData("R1_TRANSPORT", "pigeon", "embedded, storage, servicebus")]
    public async Task What_makes_no_sense_is_refused_in_a_sentence(string variable, string value, string said)
    {
        var (code, output) = await ServeProcess.RefusedAsync(new Dictionary<string, string> { [variable] = value });
        Assert.Equal(1, code);
        Assert.StartsWith("r1: ", output, StringComparison.Ordinal);
        Assert.Contains(variable, output, StringComparison.Ordinal);
        Assert.Contains(said, output, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    private static double Value(string[] samples, params string[] parts) => double.Parse(
        samples.Single(
        line => line.StartsWith(parts[0], StringComparison.Ordinal) && parts.All(part => line.Contains(part, StringComparison.Ordinal)))
        .Split(' ')[1], CultureInfo.InvariantCulture);

    private static HttpRequestMessage Unknown() => new(HttpMethod.Post, "/v1/chat/completions")
    {
        Content = new StringContent("""{"model":"no-such-model","messages":[{"role":"user","content":"?"}]}""", System.Text.Encoding.UTF8,
            "application/json"),
    };
}
