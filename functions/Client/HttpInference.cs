using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;

namespace R1Serverless.Client;

/// <summary>
/// Answers requests with a server that speaks the OpenAI API, streamed. It differs from the engine in what the API can't say: there is no
/// <see cref="InferenceEvent.Admitted"/>, a wish for "auto" is left to the server, and probabilities are not read. A server that can't be reached is
/// <see cref="InferenceEvent.Failed"/>.
/// </summary>
internal sealed class HttpInference(HttpClient client) : IInference, IDisposable
{
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(10);

    /// <param name="server">With or without the API's <c>/v1</c>.</param>
    /// <param name="apiKey">Null where none is needed.</param>
    public static HttpInference Connect(Uri server, string? apiKey)
    {
        var root = server.AbsoluteUri.TrimEnd('/');
        if (root.EndsWith("/v1", StringComparison.Ordinal)) root = root[..^3];
        HttpClient client = new(new SocketsHttpHandler { ConnectTimeout = ConnectLimit })
        {
            BaseAddress = new Uri(root + "/"),
            Timeout = Timeout.InfiniteTimeSpan, // answers take as long as they take; the caller's token ends them
        };
        if (apiKey is not null) client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", apiKey);
        return new HttpInference(client);
    }

    /// <exception cref="NotSupportedException">The request asks for probabilities.</exception>
    public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (request.TopLogprobs is not null) throw new NotSupportedException("Probabilities are not read over HTTP.");
        using HttpRequestMessage message = new(HttpMethod.Post, request.Prompt is Prompt.Chat ? "v1/chat/completions" : "v1/completions")
        {
            Content = new ReadOnlyMemoryContent(RequestBodyWriter.Write(request)) { Headers = { ContentType = new("application/json") } },
        };
        (var response, var error) = await SendAsync(message, cancellationToken);
        using var owned = response;
        if (error is not null)
        {
            yield return new InferenceEvent.Failed(error);
            yield break;
        }

        await using var body = await response!.Content.ReadAsStreamAsync(cancellationToken);
        await foreach (var inferenceEvent in new ChunkReader().ReadAsync(body, cancellationToken)) yield return inferenceEvent;
    }

    public void Dispose() => client.Dispose();

    /// <summary>The response to read; or why there is none.</summary>
    private async Task<(HttpResponseMessage? Response, InferenceError? Error)> SendAsync(HttpRequestMessage message,
        CancellationToken cancellationToken)
    {
        try
        {
            var response = await client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if (response.IsSuccessStatusCode) return (response, null);
            using (response) return (null, await ErrorReader.ReadAsync(response, cancellationToken));
        }
        catch (HttpRequestException fault)
        {
            return (null, new InferenceError(InferenceErrorKind.Unavailable, $"No server answers at {client.BaseAddress}: {fault.Message}"));
        }
    }
}
