using System.Diagnostics;

namespace R1Serverless.Bench;

/// <summary>Sends the requests of a load and times them: the same code for the engine in process and for HTTP.</summary>
internal static class LoadGenerator
{
    /// <summary>Runs one request: calls <c>onText</c> at each piece of text and gives the number of generated tokens.</summary>
    public delegate Task<int> Send(int[] prompt, int outputTokens, Action onText, CancellationToken cancellation);

    public static async Task<LoadResult> RunAsync(LoadShape shape, Send send, CancellationToken cancellation)
    {
        var next = -1;
        var prompts = Enumerable.Range(0, shape.OutputTokens.Count).Select(shape.Prompt).ToArray();
        var began = Stopwatch.GetTimestamp();
        var clients = await Task.WhenAll(Enumerable.Range(0, shape.Clients).Select(_ => ClientAsync()));
        return new LoadResult
        {
            Seconds = Stopwatch.GetElapsedTime(began).TotalSeconds,
            Tokens = clients.Sum(c => c.Tokens),
            FirstToken = Percentiles.Of([.. clients.SelectMany(c => c.Firsts)]),
            Gap = Percentiles.Of([.. clients.SelectMany(c => c.Gaps)]),
        };

        async Task<(int Tokens, List<double> Firsts, List<double> Gaps)> ClientAsync()
        {
            var tokens = 0;
            List<double> firsts = [], gaps = [];
            await Task.Yield();
            while (Interlocked.Increment(ref next) is var request && request < prompts.Length)
            {
                var last = Stopwatch.GetTimestamp();
                var isFirst = true;
                tokens += await send(prompts[request], shape.OutputTokens[request], OnText, cancellation);

                void OnText()
                {
                    var now = Stopwatch.GetTimestamp();
                    (isFirst ? firsts : gaps).Add(Stopwatch.GetElapsedTime(last, now).TotalMilliseconds);
                    (last, isFirst) = (now, false);
                }
            }

            return (tokens, firsts, gaps);
        }
    }
}
