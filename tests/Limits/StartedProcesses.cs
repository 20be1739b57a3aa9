using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace R1Serverless.Tests.Limits;

/// <summary>The processes that this run has started, and those that they have, however far from it: they are known by a mark in the environment that
/// they inherit.</summary>
internal sealed class StartedProcesses
{
    private const string Name = "TEST_RUN";
    private readonly byte[] _mark;

    private StartedProcesses(string run) => _mark = Encoding.ASCII.GetBytes($"{Name}={run}");

    /// <summary>A run within a run has a mark of its own: the outer one ends both.</summary>
    public static StartedProcesses Mark()
    {
        var run = $"{Environment.GetEnvironmentVariable(Name)}/{Environment.ProcessId}-{Guid.NewGuid():N}";
        Environment.SetEnvironmentVariable(Name, run);
        return new StartedProcesses(run);
    }

    /// <summary>Ends those that are left, where the system tells (/proc); gives a line for each.</summary>
    public IEnumerable<string> End()
    {
        if (!OperatingSystem.IsLinux()) yield break;
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var id) || id == Environment.ProcessId) continue;
            if (Kill(id, folder) is { } command) yield return $"Left running, and ended: {id} {command}";
        }
    }

    private string? Kill(int id, string folder)
    {
        try
        {
            if (File.ReadAllBytes(Path.Combine(folder, "environ")).AsSpan().IndexOf(_mark) < 0) return null;
            var command = File.ReadAllText(Path.Combine(folder, "cmdline")).Replace('\0', ' ');
            using var process = Process.GetProcessById(id);
            process.Kill();
            return command;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException or ArgumentException or InvalidOperationException
            or System.ComponentModel.Win32Exception)
        {
            return null; // It has ended meanwhile, or is another user's.
        }
    }
}
