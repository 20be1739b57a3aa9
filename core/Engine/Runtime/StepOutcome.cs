namespace R1Serverless.Engine.Runtime;

/// <summary>What became of a step: done, out of device memory, or broken.</summary>
public readonly record struct StepOutcome(StepResult Result, Exception? Fault = null)
{
    public static readonly StepOutcome Completed = new(StepResult.Completed);

    public static readonly StepOutcome OutOfMemory = new(StepResult.OutOfMemory);

    public static StepOutcome Failed(Exception fault) => new(StepResult.Failed, fault);
}

public enum StepResult
{
    Completed,
    OutOfMemory,
    Failed,
}
