using System.Diagnostics;
using Xunit.Runner.InProc.SystemConsole;
using Xunit.v3;

namespace R1Serverless.Tests.Limits;

/// <summary>A run of the tests that ends: each test in its time, all of them in theirs, and no process that they started outlives it.</summary>
internal static class TestRun
{
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(0.5), ExitLimit = TimeSpan.FromSeconds(10);

    public static async Task<int> RunAsync(RunLimits limits, string[] args)
    {
        var started = StartedProcesses.Mark();
        RunLedger ledger = new(TimeProvider.System);
        XunitTestRunner.Instance = new TimedTestRunner(limits, ledger);
        using ManualResetEventSlim ended = new();
        // A thread of its own: tests may hold all those of the pool.
        Thread watch = new(() => Watch(limits, ledger, started, ended)) { IsBackground = true, Name = "run limit" };
        watch.Start();
        try
        {
            return await ConsoleRunner.Run(args);
        }
        finally
        {
            ended.Set();
            watch.Join();
            foreach (var line in ledger.Skips().Concat(started.End())) Console.WriteLine(line);
        }
    }

    private static void Watch(RunLimits limits, RunLedger ledger, StartedProcesses started, ManualResetEventSlim ended)
    {
        string? over;
        while ((over = ledger.Over(limits)) is null)
        {
            if (ended.Wait(Look)) return;
        }

        string[] running = [.. ledger.Running()];
        Console.WriteLine($"{over} Tests that still run: {running.Length}");
        foreach (var test in running) Console.WriteLine(test);
        Console.WriteLine(ThreadStacks.ReadAsync().GetAwaiter().GetResult());
        foreach (var line in ledger.Skips().Concat(started.End())) Console.WriteLine(line);
        Console.WriteLine(ledger.Summary());
        Console.Out.Flush();
        // Handlers of the process's end may hang too.
        using Timer last = new(_ => Process.GetCurrentProcess().Kill(), null, ExitLimit, Timeout.InfiniteTimeSpan);
        Environment.Exit(1);
    }
}
