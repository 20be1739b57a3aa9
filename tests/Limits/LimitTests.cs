using System.Text.RegularExpressions;
using Microsoft.Extensions.Time.Testing;
using Xunit.v3;

namespace R1Serverless.Tests.Limits;

/// <summary>What a run does with tests that never end; <see cref="HangingTests"/> are run in a process of their own for it.</summary>
public sealed class LimitTests
{
    [Fact]
    public async Task A_test_over_its_limit_fails_with_what_it_waits_for_and_the_run_goes_on()
    {
        (var code, var output) = await RunAsync("1,120,120,0.1", nameof(HangingTests));

        Assert.NotEqual(0, code);
        Assert.Contains("Total: 5, Errors: 0, Failed: 3, Skipped: 1, Not Run: 0", output, StringComparison.Ordinal);
        Assert.Contains("Skipped 1: There is nothing to do.", output, StringComparison.Ordinal);
        Assert.Matches(
            Failure(nameof(HangingTests.Awaits_for_ever),
            @"HangingTests\.Awaits_for_ever \(await 1 in it\)\s+at \S+HangingTests\.NeverAsync \(await 2 in it\)"), output);
        if (OperatingSystem.IsLinux()) Assert.Matches(@"Left running, and ended: \d+ sleep 600", output);
        Assert.SkipUnless(CanTrace(output), "This process may not be read by a child.");
        Assert.Matches(
            Failure(nameof(HangingTests.Blocks_its_thread), @"ManualResetEventSlim\.Wait\(\)\s+at \S+HangingTests\.Blocks_its_thread\(\)"), output);
        Assert.Matches(Failure(nameof(HangingTests.Spins), @"HangingTests\.Spins\(\)"), output);
    }

    [Fact]
    public async Task A_run_that_stands_still_outside_of_tests_ends()
    {
        (var code, var output) = await RunAsync("120,1,120,0.1", nameof(HangingFixtureTests));

        Assert.NotEqual(0, code);
        Assert.Contains("No test has begun or ended for 1 s.", output, StringComparison.Ordinal);
        Assert.Contains("Total: 1, Errors: 0, Failed: 1, Skipped: 0,", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_run_over_its_limit_names_the_tests_that_still_run()
    {
        FakeTimeProvider time = new();
        RunLimits limits = new(Test: TimeSpan.FromHours(1), Stall: TimeSpan.FromMinutes(2), Run: TimeSpan.FromMinutes(5), Grace: TimeSpan.Zero);
        RunLedger ledger = new(time);
        var test = (IXunitTest)TestContext.Current.Test!;
        ledger.Passed();
        ledger.Skipped("no card");
        for (var minute = 0; minute < 3; minute++)
        {
            ledger.End(test);
            time.Advance(TimeSpan.FromMinutes(2));
            Assert.Null(minute < 2 ? ledger.Over(limits) : null);
            ledger.Begin(test).Enter(new TaskCompletionSource().Task);
        }

        time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal("The run is over its limit of 300 s.", ledger.Over(limits));
        Assert.Equal($"{test.TestDisplayName}, for 30 s\n   at System.Threading.Tasks.Task (WaitingForActivation)", Assert.Single(ledger.Running()));
        Assert.Contains("Total: 3, Errors: 0, Failed: 1, Skipped: 1, Not Run: 0, Time: 390", ledger.Summary(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_awaited_is_followed_through_the_framework_s_own_tasks()
    {
        using SemaphoreSlim taken = new(0);
        string[] chain = [.. AwaitChain.Of(OuterAsync(taken))];

        Assert.Collection(
            chain,
            line => Assert.Contains($"{nameof(OuterAsync)} (await 1 in it)", line, StringComparison.Ordinal),
            line => Assert.Contains("WhenAnyPromise", line, StringComparison.Ordinal),
            line => Assert.Contains($"{nameof(InnerAsync)} (await 2 in it)", line, StringComparison.Ordinal),
            line => Assert.Contains("SemaphoreSlim", line, StringComparison.Ordinal),
            line => Assert.Contains("DelayPromise", line, StringComparison.Ordinal));
    }

    private static async Task OuterAsync(SemaphoreSlim taken) =>
        await Task.WhenAny(InnerAsync(taken).AsTask(), Task.Delay(Timeout.InfiniteTimeSpan, TestContext.Current.CancellationToken));

    private static async ValueTask<int> InnerAsync(SemaphoreSlim taken)
    {
        await Task.CompletedTask;
        await taken.WaitAsync().ConfigureAwait(false);
        return 1;
    }

    private static async Task<(int Code, string Output)> RunAsync(string limits, string tests)
    {
        using var run =
            ChildProcess.Start(RunLimits.Option, limits, "-noColor", "-noLogo", "-explicit", "only", "-class", $"R1Serverless.Tests.Limits.{tests}");
        try
        {
            var output = await run.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            await run.WaitForExitAsync(TestContext.Current.CancellationToken);
            return (run.ExitCode, output);
        }
        finally
        {
            if (!run.HasExited) run.Kill(entireProcessTree: true);
        }
    }

    private static bool CanTrace(string output) => !output.Contains("stacks can't be read", StringComparison.Ordinal);

    /// <summary>The failure of this test, with that in it.</summary>
    private static Regex Failure(string test, string with) =>
        new($@"HangingTests\.{test} \[FAIL\]\s+\S*TestLimitException((?!\[FAIL\]).)*?{with}",
            RegexOptions.Singleline | RegexOptions.CultureInvariant, TimeSpan.FromSeconds(10));
}
