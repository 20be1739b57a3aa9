using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace R1Serverless.Serving;

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
    private const double TicksPerSecond = 100, ShortestSleep = 0.1;

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
                foreach (var phase in All)
                {
                    if (_reached[(int)phase] is { } at) reached.Add(new PhaseReached(Name(phase), at.TotalSeconds));
                }
            }

            return reached;
        }
    }

    /// <summary>As instruments and JSON name it.</summary>
    public static string Name(StartupPhase phase) => JsonNamingPolicy.SnakeCaseLower.ConvertName(phase.ToString());

    /// <summary>A timestamp of its clock.</summary>
    public long Now => _time.GetTimestamp();

    /// <summary>Only the first time counts.</summary>
    public void Mark(StartupPhase phase) => TryMark(phase, Now);

    /// <summary>Whether this was the first time.</summary>
    /// <param name="at">A timestamp of the same clock.</param>
    public bool TryMark(StartupPhase phase, long at)
    {
        lock (_gate)
        {
            if (_reached[(int)phase] is not null) return false;
            _reached[(int)phase] = _age + _time.GetElapsedTime(_made, at);
            return true;
        }
    }

    /// <summary>One line for the operator. Put together by hand: where the framework is not compiled with this program, generic code over tuples is
    /// compiled at every start, which took 8 ms between being ready and saying so.</summary>
    public string Line
    {
        get
        {
            StringBuilder line = new();
            foreach (var one in Reached)
            {
                if (line.Length > 0) line.Append(", ");
                line.Append(one.Phase.Replace('_', ' ')).Append(' ').Append(one.Seconds.ToString("F2", CultureInfo.InvariantCulture)).Append(" s");
            }

            return line.ToString();
        }
    }

    /// <summary>How old the process is. Linux counts its start on a clock that goes on while the machine sleeps, in hundredths; the runtime's
    /// stopwatch stops then.</summary>
    /// <param name="stat">What the system says of the process.</param>
    /// <param name="uptime">The same of itself: seconds on that other clock, which are ahead of the stopwatch by what it slept. Behind it they say
    /// nothing: some containers' are counted from their own start.</param>
    /// <param name="stopwatch">Seconds.</param>
    /// <exception cref="FormatException">They say something else.</exception>
    internal static TimeSpan Age(string stat, string uptime, double stopwatch)
    {
        // The 22nd field; the second, in brackets, may hold spaces.
        var ticks = stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19];
        var slept = double.Parse(uptime.AsSpan(0, Math.Max(0, uptime.IndexOf(' '))), CultureInfo.InvariantCulture) - stopwatch;
        // Below that it is what hundredths leave out and the moment between two readings; the stopwatch alone is finer.
        if (slept < ShortestSleep) slept = 0;
        return TimeSpan.FromSeconds(Math.Max(0, stopwatch + slept - (long.Parse(ticks, CultureInfo.InvariantCulture) / TicksPerSecond)));
    }

    private static TimeSpan Age()
    {
        try
        {
            // Reading these is cheaper than System.Diagnostics.Process.
            if (OperatingSystem.IsLinux())
                return Age(File.ReadAllText("/proc/self/stat"), File.ReadAllText("/proc/uptime"),
                    (double)Stopwatch.GetTimestamp() / Stopwatch.Frequency);

            using var self = Process.GetCurrentProcess();
            return TimeProvider.System.GetUtcNow() - new DateTimeOffset(self.StartTime);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or InvalidOperationException or FormatException
            or IndexOutOfRangeException or ArgumentException)
        {
            // Then the timeline begins here.
            return TimeSpan.Zero;
        }
    }
}

/// <summary>A step of the start.</summary>
/// <param name="Phase">One of a fixed few.</param>
/// <param name="Seconds">Since the process started.</param>
public readonly record struct PhaseReached(string Phase, double Seconds);
