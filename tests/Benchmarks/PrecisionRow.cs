using R1Serverless.Abstractions;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>What `bench precision` measured of one model.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Parameters">Weights, biases and norms.</param>
/// <param name="Bandwidth">Bytes per second that all cores together read from memory: the median over this run.</param>
/// <param name="BestBandwidth">The same at its best.</param>
/// <param name="Built">What building the model took; null where it was built before and elsewhere.</param>
/// <param name="Variants">From the most exact.</param>
internal sealed record PrecisionReport(string Model, long Parameters, double Bandwidth, double BestBandwidth, BuildCost? Built,
    IReadOnlyList<PrecisionRow> Variants);

/// <summary>One variant.</summary>
/// <param name="Precision">Its number format.</param>
/// <param name="FileBytes">Graph and weights on the disk.</param>
/// <param name="WeightBytes">What a decode step reads of the weights.</param>
/// <param name="LoadSeconds">From the files to a session, in a fresh process; the files were read before and are in the system's cache as far as it
/// holds them.</param>
/// <param name="MemoryBytes">What that process grew by, its largest batch included.</param>
/// <param name="Rates">By rows.</param>
internal sealed record PrecisionRow(
    Precision Precision, long FileBytes, long WeightBytes, double LoadSeconds, long MemoryBytes, IReadOnlyList<PrecisionRate> Rates);

/// <summary>A variant's speed with one number of rows. Ratios are medians over rounds, in each of which both sides were measured next to each
/// other.</summary>
/// <param name="Rows">Rows of the step batch.</param>
/// <param name="TokensPerSecond">Decoded by the bare loop, all rows together.</param>
/// <param name="OverFp32">Ratio to FP32 with as many rows; null where there is none.</param>
/// <param name="OfBandwidth">At one row: the share of the rate at which memory could be read through, 0 to 1.</param>
/// <param name="OverOne">Ratio to the variant's own rate with one row.</param>
/// <param name="EngineShare">The engine's tokens per second over the bare loop's, prefill included; null where it was not measured.</param>
internal sealed record PrecisionRate(int Rows, double TokensPerSecond, double? OverFp32, double? OfBandwidth, double? OverOne, double? EngineShare);

/// <summary>What a build took, measured in a process of its own.</summary>
/// <param name="Seconds">From the checkpoint to the finished folder.</param>
/// <param name="PeakBytes">The most resident memory it held.</param>
internal sealed record BuildCost(double Seconds, long PeakBytes);
