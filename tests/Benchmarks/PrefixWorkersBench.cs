using System.Diagnostics;
using R1Serverless.Abstractions;
using R1Serverless.Client;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>Turns after the first, and what each of them cost.</summary>
/// <param name="Cached">Share of their prompts' tokens that were computed before, 0 to 1.</param>
/// <param name="FirstToken">Median milliseconds to the first text.</param>
/// <param name="Slow">The milliseconds that nine of ten stay below.</param>
/// <param name="Seconds">All conversations, their first turns included.</param>
internal sealed record PrefixWorkersRow(string What, double Cached, double FirstToken, double Slow, double Seconds);

/// <summary>Conversations with two workers behind one gateway, which names the worker that has a conversation or does not.</summary>
internal sealed class PrefixWorkersBench(string? executable, ModelFolder folder, int conversations, int turns, int atOnce, TimeProvider time)
{
    private const int OpeningTokens = 512, TurnTokens = 64, AnswerTokens = 16;

    public async Task<IReadOnlyList<PrefixWorkersRow>> RunAsync(int rounds, Action<string> progress, CancellationToken cancellation)
    {
        List<PrefixWorkersRow> apart = [], named = [];
        for (var round = 1; round <= rounds; round++)
        {
            progress($"{folder.Name}: round {round} of {rounds}");
            // In turns, each with processes of its own: nothing is computed before.
            apart.Add(await MeasureAsync("any worker", "off", round, cancellation));
            named.Add(await MeasureAsync("the worker that has it", "key", round, cancellation));
        }

        return [MedianOf(apart), MedianOf(named)];
    }

    private static PrefixWorkersRow MedianOf(List<PrefixWorkersRow> rows) => new(
        rows[0].What, InterleavedRates.Median(rows.Select(row => row.Cached)), InterleavedRates.Median(rows.Select(row => row.FirstToken)),
        InterleavedRates.Median(rows.Select(row => row.Slow)), InterleavedRates.Median(rows.Select(row => row.Seconds)));

    /// <param name="sharing">Of the gateway: without it, it names nobody. The workers always share.</param>
    private async Task<PrefixWorkersRow> MeasureAsync(string what, string sharing, int round, CancellationToken cancellation)
    {
        using TemporaryFolder data = new();
        string[] shared = ["--data", data.Path], worker = [.. shared, "--role", "worker", "--threads", "1", "--model", folder.Path];
        await using var one = await StartAsync(worker, cancellation);
        await using var two = await StartAsync(worker, cancellation);
        await using var gateway = await StartAsync([.. shared, "--role", "gateway", "--prefix-sharing", sharing], cancellation);
        using var server = HttpInference.Connect(gateway.Address, apiKey: null);
        Random random = new(round);
        List<int>[] prompts = [.. Enumerable.Range(0, conversations).Select(_ => Tokens(random, OpeningTokens))];
        List<(double First, Usage Usage)> later = [];
        var began = Stopwatch.GetTimestamp();
        for (var turn = 0; turn < turns; turn++)
        {
            List<(double First, Usage Usage)> measured = [];
            await Parallel.ForEachAsync(
                prompts, new ParallelOptions { MaxDegreeOfParallelism = atOnce, CancellationToken = cancellation }, async (prompt, stop) =>
                {
                    var one = await AskAsync(server, [.. prompt], stop);
                    lock (measured) measured.Add(one);
                });
            if (turn > 0) later.AddRange(measured);
            foreach (var prompt in prompts) prompt.AddRange(Tokens(random, TurnTokens));
        }

        var first = later.Select(one => one.First).Order().ToArray();
        return new PrefixWorkersRow(
            what, later.Sum(one => (double)one.Usage.CachedTokens) / later.Sum(one => one.Usage.PromptTokens), first[first.Length / 2],
            first[first.Length * 9 / 10], Stopwatch.GetElapsedTime(began).TotalSeconds);
    }

    private Task<R1Server> StartAsync(string[] arguments, CancellationToken cancellation) =>
        R1Server.StartAsync(executable, arguments, ChildProcess.NoSettings, time, cancellation);

    private List<int> Tokens(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => random.Next(folder.Config.VocabularySize))];

    private async Task<(double First, Usage Usage)> AskAsync(HttpInference server, int[] prompt, CancellationToken cancellation)
    {
        InferenceRequest request = new()
        {
            Id = RequestId.New(), Model = folder.Name, Prompt = new Prompt.Tokens(prompt), MaxTokens = AnswerTokens, IgnoreEndOfSequence = true,
        };
        var began = Stopwatch.GetTimestamp();
        double? first = null;
        await foreach (var inferenceEvent in server.RunAsync(request, cancellation))
        {
            if (inferenceEvent is InferenceEvent.Failed failed) throw new InvalidOperationException(failed.Error.Message);
            first ??= Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            if (inferenceEvent is InferenceEvent.Finished finished) return (first.Value, finished.Usage);
        }

        throw new InvalidOperationException("An answer broke off.");
    }
}
