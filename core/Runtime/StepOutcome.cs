namespace R1Serverless.Runtime;

/// <summary>What became of a step: done, out of device memory, or broken.</summary>
internal readonly record struct StepOutcome(StepResult Result, Exception? Fault = null)
{
    public static readonly StepOutcome Completed = new(StepResult.Completed);

    public static readonly StepOutcome OutOfMemory = new(StepResult.OutOfMemory);

    public static StepOutcome Failed(Exception fault) => new(StepResult.Failed, fault);
}

internal enum StepResult
{
    Completed,
    OutOfMemory,
    Failed,
}
