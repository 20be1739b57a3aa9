namespace R1Serverless.Queues;

/// <summary>What a worker's engine has to do right now, whichever door it came through.</summary>
/// <param name="Running">Sequences in slots.</param>
/// <param name="Waiting">Sequences without one: while there are any, the engine can admit no more.</param>
public readonly record struct WorkerLoad(int Running, int Waiting);
