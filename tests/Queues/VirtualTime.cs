using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;

namespace R1Serverless.Tests.Queues;

/// <summary>
/// A world of one thread whose clock goes on only when nothing is left to do at its time: what takes minutes takes milliseconds, and nothing depends
/// on how fast the machine is.
/// </summary>
internal sealed class VirtualTime : SynchronizationContext
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Longest = TimeSpan.FromHours(1);

    private readonly ConcurrentQueue<(SendOrPostCallback Call, object? State)> _calls = new();

    public FakeTimeProvider Clock { get; } = new();

    /// <summary>Since the world began.</summary>
    public TimeSpan Now => Clock.GetUtcNow() - Clock.Start;

    /// <summary>Runs a test to its end, which must come within an hour of its own time.</summary>
    public static void Run(Func<VirtualTime, Task> test)
    {
        var outer = Current;
        VirtualTime world = new();
        SetSynchronizationContext(world);
        try
        {
            var running = test(world);
            while (!running.IsCompleted)
            {
                if (world._calls.TryDequeue(out var next)) next.Call(next.State);
                else if (world.Now < Longest) world.Clock.Advance(Step);
                else Assert.Fail("The test does not come to its end.");
            }

            running.GetAwaiter().GetResult();
        }
        finally
        {
            SetSynchronizationContext(outer);
        }
    }

    public Task PassAsync(double seconds) => Task.Delay(TimeSpan.FromSeconds(seconds), Clock);

    /// <summary>Waits until something holds, looked at once each step.</summary>
    public async Task UntilAsync(Func<bool> holds)
    {
        while (!holds()) await Task.Delay(Step, Clock);
    }

    public override void Post(SendOrPostCallback d, object? state) => _calls.Enqueue((d, state));

    public override void Send(SendOrPostCallback d, object? state) => d(state);
}
