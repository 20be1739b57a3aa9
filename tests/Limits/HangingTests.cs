using System.Diagnostics;

namespace R1Serverless.Tests.Limits;

/// <summary>Never end. Only <see cref="LimitTests"/> runs them, in a process of its own.</summary>
public sealed class HangingTests
{
    private int _turns;

    [Fact(Explicit = true)]
    public async Task Awaits_for_ever() => await NeverAsync();

    [Fact(Explicit = true)]
    public void Blocks_its_thread() => new ManualResetEventSlim().Wait();

    [Fact(Explicit = true)]
    public void Spins()
    {
        while (true) _turns++;
    }

    [Fact(Explicit = true)]
    public void Leaves_a_process_behind() => Process.Start("sleep", "600").Dispose();

    [Fact(Explicit = true)]
    public void Is_skipped() => Assert.SkipWhen(true, "There is nothing to do.");

    private static async Task NeverAsync()
    {
        await Task.Yield();
        await new TaskCompletionSource().Task;
    }
}

/// <summary>Hangs outside of any test.</summary>
public sealed class HangingFixtureTests(HangingFixtureTests.Endless endless) : IClassFixture<HangingFixtureTests.Endless>
{
    [Fact(Explicit = true)]
    public void Waits_for_its_fixture() => Assert.NotNull(endless);

    public sealed class Endless : IAsyncLifetime
    {
        /// <summary>A run makes the fixtures of explicit tests too, though it leaves out the tests.</summary>
        public async ValueTask InitializeAsync() =>
            await (Environment.GetCommandLineArgs().Contains("only") ? new TaskCompletionSource().Task : Task.CompletedTask);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
