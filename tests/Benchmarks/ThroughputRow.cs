using R1Serverless.Bench;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>One measured way of generating at one concurrency: the median over the rounds.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Way">raw (ONNX Runtime in a bare loop), engine (in process), http (a client process), static (batches that wait for their longest),
/// continuous.</param>
/// <param name="Clients">Rows of the raw loop, or requests at once.</param>
/// <param name="TokensPerSecond">Generated tokens per second, prefill included.</param>
/// <param name="Ratio">To the raw loop (or, for continuous, to static) of the same round: the median of the rounds' ratios.</param>
/// <param name="Bar">The least ratio that is good enough; null where there is none.</param>
/// <param name="FirstToken">Time to the first text, in milliseconds.</param>
/// <param name="Gap">Time between texts, in milliseconds.</param>
/// <param name="Profile">Where the engine's thread was: shares of the measured time; null where it is not ours or not in this process.</param>
/// <param name="MemoryBytes">For http, the server process's resident memory afterwards. For the others, by how much the resident memory of the
/// bench's process grew so far while this way was opened and ran; the load's own notes count too, and what both share (ONNX Runtime itself) counts
/// for raw, which is opened first.</param>
internal sealed record ThroughputRow(
    string Model, string Way, int Clients, double TokensPerSecond, double Ratio, double? Bar, Percentiles FirstToken, Percentiles Gap,
    EngineProfile? Profile, long MemoryBytes);

/// <summary>Shares of the time, 0 to 1: in the model's runs, and in sampling and bookkeeping; the rest, it waited or had nothing to do. And what the
/// process allocated per token: text, events and the load generator's own notes.</summary>
internal readonly record struct EngineProfile(double Model, double Sampling, double BytesPerToken);
