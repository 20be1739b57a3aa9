using R1Serverless.Abstractions;
using R1Serverless.Client;
using R1Serverless.ModelLoading;
using R1Serverless.Serving;

namespace R1Serverless.Commands;

/// <summary>Where a command's answers come from: a running server, or the engine in this process. Whoever opened it disposes it.</summary>
internal sealed class InferenceSource : IAsyncDisposable
{
    private static readonly TimeSpan ProbeLimit = TimeSpan.FromSeconds(1);

    private InferenceSource(IInference inference, string model) => (Inference, Model) = (inference, model);

    public IInference Inference { get; }

    /// <summary>What requests call the model; its name also where a folder was given.</summary>
    public string Model { get; }

    /// <summary>A server that must be there.</summary>
    public static InferenceSource Server(Uri url, string? apiKey, string model) => new(HttpInference.Connect(url, apiKey), model);

    /// <summary>The server at the default address where one answers, else the engine in this process, with the first model of
    /// <paramref name="local"/>.</summary>
    public static async Task<InferenceSource> ServerOrLocalAsync(
        string? apiKey, ServeOptions local, ModelLoader load, TextWriter status, CancellationToken cancellationToken)
    {
        Uri usual = new(ListenAddresses.Default);
        if (await AnswersAsync(usual, cancellationToken)) return Server(usual, apiKey, local.Models[0]);
        await status.WriteLineAsync($"No server at {ListenAddresses.Default}: loading {local.Models[0]} here.");
        var loaded = await load(local, new StatusLines(status), cancellationToken);
        return new InferenceSource(loaded.Inference, loaded.Models()[0].Id);
    }

    public async ValueTask DisposeAsync()
    {
        if (Inference is IAsyncDisposable engine) await engine.DisposeAsync();
        else (Inference as IDisposable)?.Dispose();
    }

    private static async Task<bool> AnswersAsync(Uri url, CancellationToken cancellationToken)
    {
        using HttpClient client = new() { BaseAddress = url, Timeout = ProbeLimit };
        try
        {
            using var response = await client.GetAsync(new Uri("health/live", UriKind.Relative), cancellationToken);
            return response.IsSuccessStatusCode;
        }
        catch (Exception fault) when (fault is HttpRequestException
            || (fault is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return false;
        }
    }
}
