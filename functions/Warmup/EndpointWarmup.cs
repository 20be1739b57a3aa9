using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using R1Serverless.Abstractions;
using R1Serverless.Scheduling;
using R1Serverless.Serving;

namespace R1Serverless.Warmup;

/// <summary>
/// Asks this very server, over its own port, before anybody else may, so that sockets, HTTP, routing, JSON, streams, tokenizer, engine and sampling
/// have run when the first client comes. Not while the models load, which takes all processors: with two of them that made a large model later by
/// more than its first request won, and a small one no earlier (docs/cold-start.md). Bare
/// sockets, as an HTTP client would be one more thing to load. What fails here fails no start.
/// </summary>
internal sealed class EndpointWarmup(StartupReport report, WarmupPass pass, TimeProvider time)
{
    private const int MaxRounds = 12;

    /// <summary>The first ask comes whatever it takes; none is begun that would end later: a large model would lose more by it than its first request
    /// wins (docs/cold-start.md).</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(0.15);

    /// <summary>What takes longer than the largest model on the slowest machine hangs, and is left to clients to find out.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    /// <summary>A step of the model each: what proves that it answers must cost a large one no more. The first runs nearly all of the program's code,
    /// the second shows what a step takes without that.</summary>
    private static readonly Ask[] Short =
    [
        new("/v1/chat/completions", 1, "\"messages\":[{\"role\":\"user\",\"content\":\"1\"}],\"temperature\":0,\"stream\":true"),
        new("/v1/completions", 1, "\"prompt\":\"1\",\"temperature\":0"),
    ];

    /// <summary>Greedy and sampled, streamed and not, chat and text.</summary>
    private static readonly Ask[] Whole =
    [
        new("/v1/chat/completions", 4,
            "\"messages\":[{\"role\":\"user\",\"content\":\"1 + 1?\"}],\"temperature\":0,\"ignore_eos\":true,\"stream\":true"),
        new("/v1/chat/completions", 4, "\"messages\":[{\"role\":\"user\",\"content\":\"1 + 1?\"}],\"temperature\":0.6,\"top_p\":0.95"),
        new("/v1/completions", 4, "\"prompt\":\"1 + 1\",\"temperature\":0"),
        new("/v1/completions", 4,
            "\"prompt\":\"1 + 1\",\"temperature\":0.6,\"top_p\":0.95,\"top_k\":20,\"stream\":true,\"stream_options\":{\"include_usage\":true}"),
    ];

    /// <summary>Asks until the answers are steady, or take too long.</summary>
    /// <param name="inference">Answers; its requests are not counted.</param>
    /// <param name="model">Whom to ask.</param>
    public async Task RunAsync(IInference inference, string model, CancellationToken cancellationToken)
    {
        if (Own(report.Addresses) is not { } address) return;
        var secret = pass.Open(inference);
        using CancellationTokenSource patience = new(Patience, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            var began = time.GetTimestamp();
            SteadyStateDetector steady = new();
            var step = TimeSpan.Zero;
            for (var round = 0; round < MaxRounds && !steady.IsSteady; round++)
            {
                var start = time.GetTimestamp();
                foreach (var ask in round == 0 ? Short : Whole)
                {
                    var passed = time.GetElapsedTime(began);
                    if (passed + (step * ask.Tokens) > Longest) return;
                    await AskAsync(address, ask.Path, $"{{\"model\":\"{model}\",\"max_tokens\":{ask.Tokens},{ask.Rest}}}", secret, either.Token);
                    step = (time.GetElapsedTime(began) - passed) / ask.Tokens;
                }

                if (round > 0) steady.Observe(time.GetElapsedTime(start));
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
        foreach (var text in addresses)
        {
            var address = BindingAddress.Parse(text);
            if (address.IsUnixPipe || address.Scheme != Uri.UriSchemeHttp) continue;
            if (address.Host is "localhost" or "+" or "*" or "0.0.0.0") return new IPEndPoint(IPAddress.Loopback, address.Port);
            if (!IPAddress.TryParse(address.Host.Trim('[', ']'), out var host)) continue;
            return new IPEndPoint(host.Equals(IPAddress.IPv6Any) ? IPAddress.IPv6Loopback : host, address.Port);
        }

        return null;
    }

    private static async Task AskAsync(IPEndPoint address, string path, string body, string secret, CancellationToken cancellationToken)
    {
        using Socket socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(address, cancellationToken);
        var request = Encoding.UTF8.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $"POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: "
            + $"{Encoding.UTF8.GetByteCount(body)}\r\n{WarmupPass.Header}: {secret}\r\nConnection: close\r\n\r\n{body}"));
        await socket.SendAsync(request, cancellationToken);
        var answer = new byte[4096];
        while (await socket.ReceiveAsync(answer, cancellationToken) > 0)
        {
            // Read to its end, as a client does.
        }
    }

    /// <param name="Rest">Of the body's fields.</param>
    private readonly record struct Ask(string Path, int Tokens, string Rest);
}
