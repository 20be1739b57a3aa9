using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using R1Serverless.Batching;
using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>
/// Asks this very server, over its own port, before anybody else may: while the models load, answered by a stand-in, so that sockets, HTTP, routing, JSON and streams are
/// compiled and connected on a core that loading leaves idle; then answered by the models, so that tokenizer, engine and sampling have run too when the first
/// client comes. Bare sockets, as an HTTP client would be one more thing to load. What fails here fails no start.
/// </summary>
internal sealed class EndpointPrewarm(StartupReport report, PrewarmPass pass, TimeProvider time)
{
    private const int MostRounds = 12;

    /// <summary>The models' first ask comes whatever it takes; none is begun that would end later: a large model would lose more by it than its first request wins (docs/cold-start.md).</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(0.15);

    /// <summary>What takes longer than the largest model on the slowest machine hangs, and is left to clients to find out.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>One step of the model: what proves that it answers must cost a large one no more.</summary>
    private static readonly (string Path, string Ask) Shortest = ("/v1/completions", "\"prompt\":\"1\",\"max_tokens\":1,\"temperature\":0");

    /// <summary>Greedy and sampled, streamed and not, chat and text.</summary>
    private static readonly (string Path, string Ask)[] Asks =
    [
        ("/v1/chat/completions", "\"messages\":[{\"role\":\"user\",\"content\":\"1 + 1?\"}],\"max_tokens\":4,\"temperature\":0,\"ignore_eos\":true,\"stream\":true"),
        ("/v1/chat/completions", "\"messages\":[{\"role\":\"user\",\"content\":\"1 + 1?\"}],\"max_tokens\":4,\"temperature\":0.6,\"top_p\":0.95"),
        ("/v1/completions", "\"prompt\":\"1 + 1\",\"max_tokens\":4,\"temperature\":0"),
        ("/v1/completions", "\"prompt\":\"1 + 1\",\"max_tokens\":4,\"temperature\":0.6,\"top_p\":0.95,\"top_k\":20,\"stream\":true,\"stream_options\":{\"include_usage\":true}"),
    ];

    /// <summary>Answers that this process has given itself.</summary>
    public int Answered { get; private set; }

    /// <summary>Asks a stand-in until it answers steadily, or until <paramref name="loading"/> is over.</summary>
    public Task RunWhileAsync(Task loading, CancellationToken cancellationToken) =>
        RunAsync(new PrewarmInference(), "prewarm", TimeSpan.MaxValue, loading, cancellationToken);

    /// <param name="inference">Answers; its requests are not counted.</param>
    /// <param name="model">Whom to ask.</param>
    public Task RunAsync(IInference inference, string model, CancellationToken cancellationToken) => RunAsync(inference, model, Longest, null, cancellationToken);

    private async Task RunAsync(IInference inference, string model, TimeSpan longest, Task? until, CancellationToken cancellationToken)
    {
        if (Own(report.Addresses) is not { } address) return;
        string secret = pass.Open(inference);
        using CancellationTokenSource patience = new(Patience, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            long began = time.GetTimestamp();
            SteadyLatency steady = new();
            TimeSpan slowest = TimeSpan.Zero;
            for (int round = 0; round < MostRounds && !steady.IsSteady; round++)
            {
                long start = time.GetTimestamp();
                foreach ((string path, string ask) in round == 0 ? [Shortest, .. Asks] : Asks)
                {
                    TimeSpan passed = time.GetElapsedTime(began);
                    if (until is { IsCompleted: true } || (slowest > TimeSpan.Zero && passed + slowest > longest)) return;
                    await AskAsync(address, path, $"{{\"model\":\"{model}\",{ask}}}", secret, either.Token);
                    Answered++;
                    TimeSpan took = time.GetElapsedTime(began) - passed;
                    if (took > slowest) slowest = took;
                }

                steady.Observe(time.GetElapsedTime(start));
            }
        }
        catch (Exception fault) when (fault is IOException or SocketException)
        {
            // An address that can't be reached from here.
        }
        catch (OperationCanceledException) when (patience.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            // Not warm, but ready.
        }
        finally
        {
            pass.Close();
        }
    }

    /// <summary>Where this process reaches itself without encryption; null where it doesn't.</summary>
    internal static IPEndPoint? Own(IEnumerable<string> addresses)
    {
        foreach (string text in addresses)
        {
            BindingAddress address = BindingAddress.Parse(text);
            if (address.IsUnixPipe || address.Scheme != Uri.UriSchemeHttp) continue;
            if (address.Host is "localhost" or "+" or "*" or "0.0.0.0") return new IPEndPoint(IPAddress.Loopback, address.Port);
            if (!IPAddress.TryParse(address.Host.Trim('[', ']'), out IPAddress? host)) continue;
            return new IPEndPoint(host.Equals(IPAddress.IPv6Any) ? IPAddress.IPv6Loopback : host, address.Port);
        }

        return null;
    }

    private static async Task AskAsync(IPEndPoint address, string path, string body, string secret, CancellationToken cancellationToken)
    {
        using Socket socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(address, cancellationToken);
        byte[] request = Encoding.UTF8.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $"POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n{PrewarmPass.Header}: {secret}\r\nConnection: close\r\n\r\n{body}"));
        await socket.SendAsync(request, cancellationToken);
        byte[] answer = new byte[4096];
        while (await socket.ReceiveAsync(answer, cancellationToken) > 0)
        {
            // Read to its end, as a client does.
        }
    }
}
