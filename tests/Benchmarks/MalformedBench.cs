using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using R1Serverless.Bench;
using R1Serverless.Tests.Api.OpenInference;
using R1Serverless.Tests.Api.Rpc;
using R1Serverless.Tests.Engine.Tensors;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>Malformed requests of the Open Inference Protocol to a server in a process of its own: by HTTP, by raw bytes on a socket, and by
/// gRPC.</summary>
internal static class MalformedBench
{
    private const int AtOnce = 8;

    /// <summary>Keys and values of prompts are kept until this memory is full, which would look like a leak for hundreds of thousands of requests: this
    /// little is full early.</summary>
    private const string KvMemory = "16MB";

    /// <summary>Bytes of the server's managed heap, in hexadecimal: near it garbage is collected in full, so that what is left is what is held, and a
    /// server that holds more and more ends. Without it tens of MiB of garbage wait for that collection.</summary>
    private const string HeapLimit = "0x2000000";

    private const string Tensors = "echo", Versioned = "versioned";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30), GoesOn = TimeSpan.FromMilliseconds(200);

    /// <param name="executable">A published r1; null for the build beside this assembly.</param>
    /// <param name="requests">That are to be refused: those that happen to be valid come on top.</param>
    /// <param name="sample">How many of them lie between two looks at the memory.</param>
    /// <exception cref="BenchException">The server has ended.</exception>
    public static async Task<MalformedReport> RunAsync(string? executable, int requests, int seed, int sample, CancellationToken stop)
    {
        using TemporaryFolder folder = new();
        Directory.Move(TensorFolder.Several().Path, Path.Combine(folder.Path, Tensors));
        Directory.Move(TensorFolder.AddOne().Path, Path.Combine(folder.Path, Versioned));
        var port = R1Server.FreePort();
        await using var server = await R1Server.StartAsync(
            executable,
            [
                "--model", Path.Combine(folder.Path, Tensors), "--model", Path.Combine(folder.Path, Versioned), "--model", TestModels.Nano.Path,
                "--grpc-port", $"{port}", "--kv-memory", KvMemory, "--metrics",
            ],
            new Dictionary<string, string> { ["DOTNET_GCHeapHardLimit"] = HeapLimit }, TimeProvider.System, stop);
        using HttpClient http = new() { BaseAddress = server.Address, Timeout = Patience };
        using HttpClient rpc = new() { BaseAddress = new Uri($"http://127.0.0.1:{port}/"), Timeout = Patience };
        MalformedReport report = new();
        for (var next = 0; report.Refused < requests;)
        {
            var end = report.Refused + Math.Min(sample, requests - report.Refused);
            await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(async _ =>
            {
                while (report.Refused < end)
                {
                    stop.ThrowIfCancellationRequested();
                    var number = Interlocked.Increment(ref next);
                    Random random = new(HashCode(seed, number));
                    var (kind, answer) = (number % 10) switch
                    {
                        0 => ("socket", await SendRawAsync(server.Address.Port, random, stop)),
                        1 or 2 => ("gRPC", await SendRpcAsync(rpc, random, stop)),
                        _ => ("HTTP", await SendAsync(http, random, stop)),
                    };
                    report.Add(kind, answer, number);
                }
            }));
            report.Memory.Add(new MemorySample(report.Refused, server.Memory, await R1Server.HeapAsync(http, stop)));
            using var alive = await http.GetAsync(new Uri("/v2/health/ready", UriKind.Relative), stop);
            if (!alive.IsSuccessStatusCode) throw new BenchException("The server is not ready any more.");
        }

        return report;
    }

    /// <summary>The same on every machine.</summary>
    private static int HashCode(int seed, int number) => unchecked((seed * 1_000_003) ^ (number * (int)2_654_435_761));

    private static MalformedRequest Next(Random random) => MalformedRequest.Next(random, (Tensors, Versioned, TestModels.Nano.Name));

    private static async Task<MalformedAnswer> SendAsync(HttpClient http, Random random, CancellationToken stop)
    {
        var malformed = Next(random);
        using HttpRequestMessage request = new(HttpMethod.Post, malformed.Path) { Content = new ByteArrayContent(malformed.Body) };
        foreach (var (name, value) in malformed.Headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value)) request.Content.Headers.TryAddWithoutValidation(name, value);
        }

        using var response = await http.SendAsync(request, stop);
        var body = await response.Content.ReadAsByteArrayAsync(stop);
        // An address with a zero in it is no HTTP: the web server refuses it before anybody else sees it.
        return body.Length == 0 && response.StatusCode == HttpStatusCode.BadRequest && malformed.Path.Contains("%00", StringComparison.Ordinal)
            ? MalformedAnswer.OfWebServer("400") : MalformedAnswer.Of((int)response.StatusCode, body);
    }

    private static async Task<MalformedAnswer> SendRawAsync(int port, Random random, CancellationToken stop)
    {
        var bytes = Next(random).ToHttp(random);
        using TcpClient client = new();
        await client.ConnectAsync(IPAddress.Loopback, port, stop);
        var stream = client.GetStream();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stop);
        limit.CancelAfter(Patience);
        using MemoryStream answer = new();
        try
        {
            await stream.WriteAsync(bytes, limit.Token);
            var rest = stream.CopyToAsync(answer, limit.Token);
            // Where the request says that it goes on, it is waited for.
            if (await Task.WhenAny(rest, Task.Delay(GoesOn, limit.Token)) != rest) client.Client.Shutdown(SocketShutdown.Send);
            await rest;
        }
        catch (Exception fault) when (fault is IOException or SocketException)
        {
            // The server may hang up on such bytes.
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            return new MalformedAnswer("no answer", $"none within {Patience.TotalSeconds} s to {Convert.ToHexString(bytes)}");
        }

        var text = Encoding.Latin1.GetString(answer.ToArray());
        if (text.Length == 0) return new MalformedAnswer("closed", null);
        var body = text.IndexOf("\r\n\r\n", StringComparison.Ordinal) is >= 0 and var head ? Encoding.Latin1.GetBytes(text[(head + 4)..]) : [];
        // Without a body it is the web server's own word for what is no HTTP.
        return (text.StartsWith("HTTP/1.1 4", StringComparison.Ordinal) || text.StartsWith("HTTP/1.1 505", StringComparison.Ordinal)) && text.Contains("Content-Length: 0\r\n", StringComparison.Ordinal)
            ? MalformedAnswer.OfWebServer(text[9..12])
            : MalformedAnswer.Of(text.Length > 12 && int.TryParse(text[9..12], out var status) ? status : 0, Chunks(text, body));
    }

    private static byte[] Chunks(string head, byte[] body)
    {
        if (!head.Contains("Transfer-Encoding: chunked", StringComparison.Ordinal)) return body;
        var text = Encoding.Latin1.GetString(body);
        var (first, last) = (text.IndexOf("\r\n", StringComparison.Ordinal), text.LastIndexOf("\r\n0\r\n", StringComparison.Ordinal));
        return first >= 0 && last > first ? body[(first + 2)..last] : body;
    }

    private static async Task<MalformedAnswer> SendRpcAsync(HttpClient rpc, Random random, CancellationToken stop)
    {
        var frame = MalformedRpc.Frame(MalformedRpc.Next(random, Tensors), random, out var isMessage);
        using HttpRequestMessage request = new(HttpMethod.Post, "/inference.GRPCInferenceService/ModelInfer")
        {
            Content = new ByteArrayContent(frame), Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        using var response = await rpc.SendAsync(request, stop);
        await response.Content.ReadAsByteArrayAsync(stop);
        if (!response.TrailingHeaders.TryGetValues("grpc-status", out var values) && !response.Headers.TryGetValues("grpc-status", out values))
            return new MalformedAnswer($"HTTP {(int)response.StatusCode}", "no grpc-status");
        var status = values.Single();
        var said = response.TrailingHeaders.TryGetValues("grpc-message", out var words) || response.Headers.TryGetValues("grpc-message", out words)
            ? words.Single() : "";
        // 0 OK, 3 INVALID_ARGUMENT, 5 NOT_FOUND, 8 RESOURCE_EXHAUSTED, 12 UNIMPLEMENTED (an encoding). A frame whose length is not its message's is for
        // gRPC's library, which says INTERNAL (13), as gRPC's own list of codes has it.
        return new MalformedAnswer($"status {status}{(isMessage ? "" : ", no message")}",
            status is "0" or "3" or "5" or "8" || (!isMessage && status is "12" or "13") ? null : $"{status}: {said}");
    }
}

/// <summary>How a malformed request was answered.</summary>
/// <param name="Kind">In few words; those that were served begin with 2 or are "status 0".</param>
/// <param name="Fault">What is wrong with the answer; null for nothing.</param>
internal sealed record MalformedAnswer(string Kind, string? Fault)
{
    public bool IsServed => Kind.StartsWith('2') || Kind.StartsWith("status 0", StringComparison.Ordinal);

    public static MalformedAnswer OfWebServer(string status) => new($"{status} of the web server", null);

    /// <summary>Of REST: 4xx with <c>{"error":"words"}</c>, or an answer.</summary>
    public static MalformedAnswer Of(int status, byte[] body)
    {
        var isRight = status switch
        {
            >= 200 and < 300 => true,
            >= 400 and < 500 => HasError(body),
            _ => false,
        };
        return new MalformedAnswer($"{status}", isRight ? null : $"{status}: {Encoding.UTF8.GetString(body)}");
    }

    private static bool HasError(byte[] body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var error = document.RootElement.GetProperty("error");
            // An address that is flipped may lie beside /v2, where errors are OpenAI's.
            if (error.ValueKind == JsonValueKind.Object) error = error.GetProperty("message");
            return error.GetString() is { Length: > 0 };
        }
        catch (Exception fault) when (fault is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return false;
        }
    }
}

internal sealed class MalformedReport
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, int> _kinds = new(StringComparer.Ordinal);
    private readonly List<string> _faults = [];
    private int _refused;

    public int Refused => Volatile.Read(ref _refused);

    /// <summary>Requests by how they were sent and answered.</summary>
    public IReadOnlyDictionary<string, int> Kinds => _kinds;

    /// <summary>Answers that are wrong, with the number of their requests.</summary>
    public IReadOnlyList<string> Faults => _faults;

    /// <summary>The server's memory, in the order in which it was looked at.</summary>
    public List<MemorySample> Memory { get; } = [];

    public void Add(string sent, MalformedAnswer answer, int number)
    {
        lock (_gate)
        {
            var kind = $"{sent}: {answer.Kind}";
            _kinds[kind] = _kinds.GetValueOrDefault(kind) + 1;
            if (answer.Fault is not null) _faults.Add($"{sent} {number}: {answer.Fault}");
            if (!answer.IsServed) _refused++;
        }
    }
}
