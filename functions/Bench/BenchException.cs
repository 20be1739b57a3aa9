namespace R1Serverless.Bench;

/// <summary>A measurement that would not be true: a request failed or gave fewer tokens than asked for, or a process ended early.</summary>
internal sealed class BenchException(string message) : Exception(message);
