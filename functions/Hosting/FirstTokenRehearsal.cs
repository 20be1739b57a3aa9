using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>An engine for this process's own requests: each is treated as the first client's will be, with a mark that counts nowhere and a line that nobody reads. Code that runs for the
/// first time is slow, and no other request would have run it.</summary>
internal sealed class FirstTokenRehearsal(IInference inner, TimeProvider time) : IInference
{
    private static readonly Progress Nobody = new();

    public IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, CancellationToken cancellationToken) =>
        new FirstTokenWatch(inner, new FirstToken(new StartupTimeline(time), Nobody, time)).RunAsync(request, cancellationToken);

    private sealed class Progress : IProgress<string>
    {
        public void Report(string value)
        {
        }
    }
}
