using System.Diagnostics;
using System.Globalization;
using System.Text;
using R1Serverless.Telemetry;

namespace R1Serverless.Hosting;

/// <summary>The steps from the process's start to its first token, in their order.</summary>
internal enum StartupPhase
{
    /// <summary>The port answers.</summary>
    PortOpen,

    /// <summary>The models' files are on this machine's disk.</summary>
    Artifacts,

    /// <summary>ONNX Runtime has made the sessions of all that is loaded at the start.</summary>
    Sessions,

    /// <summary>Their dummy runs are over.</summary>
    Warmed,

    /// <summary>Requests are taken in.</summary>
    Ready,

    /// <summary>The first answer to a client has begun.</summary>
    FirstToken,
}

/// <summary>When each step of the start was reached, from the moment at which the system started the process. Any thread may mark and read.</summary>
internal sealed class StartupTimeline
{
    /// <summary>Linux counts a process's start in hundredths of seconds since the machine's own.</summary>
    private const double TicksPerSecond = 100;

    private static readonly StartupPhase[] All = Enum.GetValues<StartupPhase>();

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly TimeSpan?[] _reached = new TimeSpan?[All.Length];
    private readonly TimeSpan _age;
    private readonly long _made;

    public StartupTimeline(TimeProvider time)
    {
        _time = time;
        _made = time.GetTimestamp();
        _age = Age();
    }

    /// <summary>The phases that were reached, in order.</summary>
    public IReadOnlyList<PhaseReached> Reached
    {
        get
        {
            List<PhaseReached> reached = new(All.Length);
            lock (_gate)
            {
                foreach (StartupPhase phase in All)
                {
                    if (_reached[(int)phase] is { } at) reached.Add(new PhaseReached(Name(phase), at.TotalSeconds));
                }
            }

            return reached;
        }
    }

    /// <summary>As instruments and JSON name it.</summary>
    public static string Name(StartupPhase phase) => phase switch
    {
        StartupPhase.PortOpen => "port_open",
        StartupPhase.Artifacts => "artifacts",
        StartupPhase.Sessions => "sessions",
        StartupPhase.Warmed => "warmed",
        StartupPhase.Ready => "ready",
        _ => "first_token",
    };

    /// <summary>Only the first time counts.</summary>
    public void Mark(StartupPhase phase) => Mark(phase, _time.GetTimestamp());

    /// <param name="at">A timestamp of the same clock.</param>
    public void Mark(StartupPhase phase, long at)
    {
        lock (_gate) _reached[(int)phase] ??= _age + _time.GetElapsedTime(_made, at);
    }

    /// <summary>One line for the operator. Put together by hand: generic code over tuples and doubles is compiled at every start, which took 8 ms here.</summary>
    public string Line
    {
        get
        {
            StringBuilder line = new();
            foreach (PhaseReached one in Reached)
            {
                if (line.Length > 0) line.Append(", ");
                line.Append(one.Phase.Replace('_', ' ')).Append(' ').Append(one.Seconds.ToString("F2", CultureInfo.InvariantCulture)).Append(" s");
            }

            return line.ToString();
        }
    }

    private static TimeSpan Age()
    {
        try
        {
            if (OperatingSystem.IsLinux())
            {
                // The 22nd field; the second, in brackets, may hold spaces. Reading it is cheaper than System.Diagnostics.Process.
                string stat = File.ReadAllText("/proc/self/stat");
                string ticks = stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19];
                return TimeSpan.FromSeconds(Math.Max(0, ((double)Stopwatch.GetTimestamp() / Stopwatch.Frequency) - (long.Parse(ticks, CultureInfo.InvariantCulture) / TicksPerSecond)));
            }

            using Process self = Process.GetCurrentProcess();
            return TimeProvider.System.GetUtcNow() - new DateTimeOffset(self.StartTime);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or InvalidOperationException or FormatException)
        {
            // Then the timeline begins here.
            return TimeSpan.Zero;
        }
    }
}
