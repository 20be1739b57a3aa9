namespace R1Serverless.Queues;

/// <summary>What a worker's engine has to do right now, whichever door it came through.</summary>
/// <param name="Running">Sequences in slots.</param>
/// <param name="Waiting">Sequences without one.</param>
/// <param name="IsFull">Whether it has no room for those that wait; else they are only on their way in, and it may take more.</param>
public readonly record struct WorkerLoad(int Running, int Waiting, bool IsFull);
