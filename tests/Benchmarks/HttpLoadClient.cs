using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using R1Serverless.Bench;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>
/// Requests to a server's /v1/completions, streamed. As light as a client can be, since it shares the processor with the server: events are counted
/// by their framing and only the last one is looked into.
/// </summary>
internal sealed class HttpLoadClient(HttpClient client, string model)
{
    private static ReadOnlySpan<byte> CompletionTokens => "\"completion_tokens\":"u8;

    /// <summary>In every chunk of text and in no other; inside a text, its quotes would be escaped.</summary>
    private static ReadOnlySpan<byte> Unfinished => "\"finish_reason\":null"u8;

    /// <exception cref="HttpRequestException">The server refused or hung up.</exception>
    /// <exception cref="BenchException">The stream ended with an error or with another number of tokens.</exception>
    public async Task<int> SendAsync(int[] prompt, int outputTokens, Action onText, CancellationToken cancellation)
    {
        var body = string.Create(CultureInfo.InvariantCulture, $$$"""
            {"model":"{{{model}}}","prompt":[{{{string.Join(',', prompt)}}}],"max_tokens":{{{outputTokens}}},"temperature":0,"ignore_eos":true,"stream":true,"stream_options":{"include_usage":true}}
            """);
        using var request =
            new HttpRequestMessage(HttpMethod.Post, "v1/completions") { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        if (!answer.IsSuccessStatusCode)
            throw new HttpRequestException($"{(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync(cancellation)}");

        using var stream = await answer.Content.ReadAsStreamAsync(cancellation);
        var buffer = new byte[16 * 1024];
        var (tail, tokens) = (0, 0);
        while (await stream.ReadAsync(buffer.AsMemory(tail), cancellation) is var read and > 0)
        {
            var (consumed, found) = Scan(buffer.AsSpan(0, tail + read), onText);
            if (found > 0) tokens = found;
            tail = tail + read - consumed;
            buffer.AsSpan(consumed, tail).CopyTo(buffer);
        }

        return tokens == outputTokens ? tokens : throw new BenchException($"The stream ended after {tokens} tokens instead of {outputTokens}.");
    }

    /// <summary>Takes whole events off the front; gives how many bytes they had, and the usage if one held it.</summary>
    private static (int Consumed, int Tokens) Scan(ReadOnlySpan<byte> bytes, Action onText)
    {
        var (consumed, tokens) = (0, 0);
        while (bytes[consumed..].IndexOf("\n\n"u8) is var length and >= 0)
        {
            var inferenceEvent = bytes.Slice(consumed, length);
            consumed += length + 2;
            if (inferenceEvent.IndexOf(CompletionTokens) is var at and >= 0)
            {
                foreach (var digit in inferenceEvent[(at + CompletionTokens.Length)..])
                {
                    if (!char.IsAsciiDigit((char)digit)) break;
                    tokens = (tokens * 10) + (digit - '0');
                }
            }
            else if (inferenceEvent.IndexOf(Unfinished) >= 0)
            {
                onText();
            }
            else if (inferenceEvent.StartsWith("data: {\"error\":"u8))
            {
                throw new BenchException($"The stream ended with {Encoding.UTF8.GetString(inferenceEvent)}");
            }
        }

        return (consumed, tokens);
    }
}
