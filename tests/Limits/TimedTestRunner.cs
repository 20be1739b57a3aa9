using System.Diagnostics;
using Xunit.v3;

namespace R1Serverless.Tests.Limits;

/// <summary>Gives each test its time and, where it takes more, fails it with what it waits for. The test may block its thread or spin: it is left
/// behind then.</summary>
internal sealed class TimedTestRunner(RunLimits limits, RunLedger ledger) : XunitTestRunner
{
    protected override async ValueTask<TimeSpan> RunTest(XunitTestRunnerContext ctxt)
    {
        if (Debugger.IsAttached) return await base.RunTest(ctxt);
        var running = ledger.Begin(ctxt.Test);
        try
        {
            var test = Task.Run(() => base.RunTest(ctxt).AsTask());
            if (await EndsWithinAsync(test, limits.Test)) return await test;

            var stack = $"{string.Join('\n', running.Awaits())}\n{await ThreadStacks.ReadAsync()}";
            ctxt.Aggregator.Add(new TestLimitException(limits.Test, stack));
            TestContext.Current.CancelCurrentTest();
            await EndsWithinAsync(test, limits.Grace);
            return running.Elapsed;
        }
        finally
        {
            ledger.End(ctxt.Test);
        }
    }

    protected override async ValueTask<(object? Instance, SynchronizationContext? SyncContext,
        ExecutionContext? ExecutionContext)> CreateTestClassInstance(XunitTestRunnerContext ctxt)
    {
        var made = base.CreateTestClassInstance(ctxt).AsTask();
        ledger.Running(ctxt.Test)?.Enter(made);
        return await made;
    }

    protected override async ValueTask<TimeSpan> InvokeTest(XunitTestRunnerContext ctxt, object? testClassInstance)
    {
        var running = ledger.Running(ctxt.Test);
        running?.Enter(null);
        var invoked = base.InvokeTest(ctxt, testClassInstance).AsTask();
        running?.Enter(invoked);
        return await invoked;
    }

    protected override async ValueTask DisposeTestClassInstance(XunitTestRunnerContext ctxt, object testClassInstance)
    {
        var running = ledger.Running(ctxt.Test);
        running?.Enter(null);
        var disposed = base.DisposeTestClassInstance(ctxt, testClassInstance).AsTask();
        running?.Enter(disposed);
        await disposed;
    }

    protected override ValueTask<(bool Continue, TestResultState ResultState)> OnTestPassed(XunitTestRunnerContext ctxt, decimal executionTime,
        string output, string[]? warnings)
    {
        ledger.Passed();
        return base.OnTestPassed(ctxt, executionTime, output, warnings);
    }

    protected override ValueTask<(bool Continue, TestResultState ResultState)> OnTestFailed(XunitTestRunnerContext ctxt, Exception exception,
        decimal executionTime, string output, string[]? warnings)
    {
        ledger.Failed();
        return base.OnTestFailed(ctxt, exception, executionTime, output, warnings);
    }

    protected override ValueTask<(bool Continue, TestResultState ResultState)> OnTestSkipped(XunitTestRunnerContext ctxt, string skipReason,
        decimal executionTime, string output, string[]? warnings)
    {
        ledger.Skipped(skipReason);
        return base.OnTestSkipped(ctxt, skipReason, executionTime, output, warnings);
    }

    private static async Task<bool> EndsWithinAsync(Task test, TimeSpan limit)
    {
        using CancellationTokenSource done = new();
        var ended = await Task.WhenAny(test, Task.Delay(limit, done.Token)) == test;
        await done.CancelAsync();
        return ended;
    }
}
