using R1Serverless.Abstractions;
using R1Serverless.Serving;

namespace R1Serverless.Warmup;

/// <summary>An engine for this process's own requests: each is treated as the first client's will be, with a mark that counts nowhere and a line that
/// nobody reads. Code that runs for the first time is slow, and no other request would have run it.</summary>
internal sealed class FirstTokenWarmup(IInference inner, TimeProvider time) : IInference
{
    private static readonly Nobody Silent = new();

    public IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken) =>
        new FirstTokenWatch(inner, new FirstToken(new StartupTimeline(time), Silent, time)).RunAsync(request, cancellationToken);

    private sealed class Nobody : IProgress<string>
    {
        public void Report(string value)
        {
        }
    }
}
