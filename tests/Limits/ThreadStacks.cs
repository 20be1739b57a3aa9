using System.ComponentModel;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Diagnostics.Runtime;

namespace R1Serverless.Tests.Limits;

/// <summary>The stacks of this process's threads. It can't read them itself, so a child attaches to it as a debugger does, stops it for the while and
/// reads them.</summary>
internal static partial class ThreadStacks
{
    public const string Command = "--thread-stacks";

    private const int SetTracer = 0x59616d61, MaxFrames = 60;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>What is below it is the runner, which calls a test's method so.</summary>
    private const string Invoker = "System.Reflection.MethodBaseInvoker.";

    /// <summary>Threads of the run itself, which are always there.</summary>
    private static readonly string[] OfRun = ["R1Serverless.Tests.Program.<Main>", "R1Serverless.Tests.Limits.TestRun."];

    /// <summary>Those that are in this repository's code, at work or blocked; why not, where they can't be read.</summary>
    public static async Task<string> ReadAsync()
    {
        // Where the kernel lets a process be traced by its ancestors only, and elsewhere without effect.
        if (OperatingSystem.IsLinux()) Control(SetTracer, -1, 0, 0, 0);
        try
        {
            using var child = ChildProcess.Start(Command, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
            using CancellationTokenSource late = new(Limit);
            try
            {
                return await child.StandardOutput.ReadToEndAsync(late.Token);
            }
            finally
            {
                if (!child.HasExited) child.Kill();
            }
        }
        catch (Exception failure) when (failure is Win32Exception or OperationCanceledException or IOException)
        {
            return $"The threads' stacks can't be read: {failure.Message}";
        }
    }

    /// <summary>The child: the kernel lets the process go on when this one ends, whatever becomes of it.</summary>
    public static int ReadOf(string process)
    {
        using Timer late = new(_ => Environment.Exit(1), null, Limit / 2, Timeout.InfiniteTimeSpan);
        StringBuilder said = new();
        try
        {
            using var target = DataTarget.AttachToProcess(int.Parse(process, CultureInfo.InvariantCulture), suspend: true);
            var clr = target.ClrVersions[0];
            // The reader of the runtime's structures lies beside the runtime: it does match, though the package can't tell so from the version that
            // it finds.
            var reader = clr.DebuggingLibraries.First(library => library.Kind == DebugLibraryKind.Dac);
            using var runtime =
                clr.CreateRuntime(Path.Combine(Path.GetDirectoryName(clr.ModuleInfo.FileName)!, Path.GetFileName(reader.FileName)),
                    ignoreMismatch: true);
            foreach (var thread in runtime.Threads)
            {
                string[] frames =
                    [.. thread.EnumerateStackTrace().Where(frame => frame.Kind == ClrStackFrameKind.ManagedMethod)
                        .Select(frame => frame.Method?.Signature ?? "?")
                        .TakeWhile(frame => !frame.StartsWith(Invoker, StringComparison.Ordinal)).Take(MaxFrames)];
                if (!frames.Any(IsOurs) || frames.Any(frame => OfRun.Any(mark => frame.StartsWith(mark, StringComparison.Ordinal)))) continue;
                said.AppendLine(CultureInfo.InvariantCulture, $"thread {thread.ManagedThreadId}:");
                foreach (var frame in frames) said.AppendLine(CultureInfo.InvariantCulture, $"   at {frame}");
            }
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            said.AppendLine(CultureInfo.InvariantCulture, $"The threads' stacks can't be read: {failure.Message}");
        }

        // Not before: the process that reads this was stopped until here.
        Console.Write(said);
        return 0;
    }

    private static bool IsOurs(string frame) => frame.StartsWith("R1Serverless.", StringComparison.Ordinal);

    [LibraryImport("libc", EntryPoint = "prctl")]
    private static partial int Control(int option, nint second, nint third, nint fourth, nint fifth);
}
