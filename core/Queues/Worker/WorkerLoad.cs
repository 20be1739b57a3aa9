namespace R1Serverless.Queues.Worker;

/// <summary>What a worker's engine has to do right now, whether it came from the queue or directly.</summary>
/// <param name="Running">Sequences in slots.</param>
/// <param name="Waiting">Sequences without one.</param>
/// <param name="IsFull">Whether it has no room for those that wait; else they are only on their way in, and it may take more.</param>
public readonly record struct WorkerLoad(int Running, int Waiting, bool IsFull);
