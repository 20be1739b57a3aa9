using R1Serverless.Bench;

namespace R1Serverless.Tests.Benchmarks;

/// <param name="Streams">At once.</param>
/// <param name="OutputTokens">Of the shortest; the longest have nearly twice as many.</param>
/// <param name="Pause">Before the first change and after each.</param>
/// <param name="Device">cpu or cuda: known before the server is asked, as the poor version's evaluation speaks of it.</param>
/// <param name="Executable">The server's; null for the build beside this assembly.</param>
internal sealed record HotSwapOptions(int Streams, int PromptTokens, int OutputTokens, TimeSpan Pause, string Device, string? Executable);

/// <summary>What `bench hot-swap` measured.</summary>
internal sealed record HotSwapReport(string Model, int Streams, IReadOnlyList<HotSwapRow> Phases)
{
    /// <summary>No stream may wait longer for its next token, in milliseconds.</summary>
    public const double LargestGap = 1000;

    public int Failures => Phases.Sum(phase => phase.Failures);

    public bool IsHeld => Failures == 0 && Phases.All(phase => phase.MaxGap <= LargestGap);
}

/// <summary>From one change of the version to the next. Times are in milliseconds.</summary>
/// <param name="Requests">That began in it and ended well.</param>
/// <param name="Fault">The first failure's message.</param>
/// <param name="FirstToken">Of streams that began.</param>
/// <param name="Gap">Between two pieces of text of one stream.</param>
/// <param name="SwapSeconds">From the activation to the state that was waited for; null where nothing changed.</param>
/// <param name="Reason">Why the version does not serve; null where it does.</param>
internal sealed record HotSwapRow(string Name, int Requests, int Failures, string? Fault, Percentiles FirstToken, double MaxFirstToken,
    Percentiles Gap, double MaxGap, double? SwapSeconds, string? Reason);

/// <summary>A phase while it is measured.</summary>
internal sealed class HotSwapPhase(string name)
{
    public int Requests { get; set; }

    public List<string> Failures { get; } = [];

    public List<double> Firsts { get; } = [];

    public List<double> Gaps { get; } = [];

    public TimeSpan? SwapTime { get; set; }

    public string? Reason { get; set; }

    public HotSwapRow Row() => new(
        name, Requests, Failures.Count, Failures.FirstOrDefault(), Percentiles.Of(Firsts), Firsts.Count == 0 ? 0 : Firsts.Max(),
        Percentiles.Of(Gaps), Gaps.Count == 0 ? 0 : Gaps.Max(), SwapTime?.TotalSeconds, Reason);
}
