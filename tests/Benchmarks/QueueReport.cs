using R1Serverless.Bench;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>What `bench queue` measured; medians over the rounds. Parts that were not asked for are null or empty.</summary>
internal sealed record QueueReport(QueueLatency? Latency, QueueRates? Rates, IReadOnlyList<QueueDrain> Drains);

/// <summary>Short requests one after the other, to a gateway and to a server that has the model itself, in turn.</summary>
/// <param name="Transport">Between gateway and worker, as the operator knows it.</param>
/// <param name="Requests">Of each way, over all rounds.</param>
/// <param name="Added">What the queue adds, from the request to its first text.</param>
/// <param name="AddedWhole">The same, to its end.</param>
internal sealed record QueueLatency(
    string Transport, string Model, int Requests, Percentiles DirectFirst, Percentiles QueuedFirst, Percentiles DirectWhole, Percentiles QueuedWhole,
    Percentiles Added, Percentiles AddedWhole);

/// <summary>The embedded queue alone, in requests per second.</summary>
/// <param name="EnqueuedAlone">By one producer that waits for each to be durable.</param>
/// <param name="Enqueued">By many producers.</param>
/// <param name="Drained">Leased and completed.</param>
internal sealed record QueueRates(double EnqueuedAlone, double Enqueued, double Drained);

/// <summary>A backlog drained by a worker, beside the same requests given to the same engine without a queue.</summary>
/// <param name="AtOnce">The most that ran at once, in the drain; so many clients ask the engine.</param>
/// <param name="DrainTokens">Tokens per second, from the start of the worker until the queue is empty and all results are stored.</param>
/// <param name="EngineTokens">The engine's own.</param>
/// <param name="Utilisation">The median of the rounds' own ratios.</param>
internal sealed record QueueDrain(string Model, int Requests, int AtOnce, double DrainTokens, double EngineTokens, double Utilisation)
{
    /// <summary>The utilisation that is good enough.</summary>
    public const double Bar = 0.9;
}
