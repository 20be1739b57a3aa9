namespace R1Serverless.Tests.Limits;

/// <summary>A test that has begun and not ended.</summary>
internal sealed class RunningTest(string name, TimeProvider time)
{
    private readonly long _began = time.GetTimestamp();
    private volatile Task? _step;

    public TimeSpan Elapsed => time.GetElapsedTime(_began);

    /// <summary>Keeps the step that is under way (class made, method, class disposed of), as what the test waits for is read from its task.</summary>
    public void Enter(Task? step) => _step = step;

    /// <summary>The name, and what it awaits; nothing more where a thread of its own is at work or blocked, which the stacks of the threads
    /// show.</summary>
    public string Describe() => string.Join('\n', [$"{name}, for {Elapsed.TotalSeconds:0} s", .. Awaits()]);

    public IEnumerable<string> Awaits() => _step is { } step ? AwaitChain.Of(step) : ["   not at an await: see the threads"];
}
