using System.Globalization;

namespace R1Serverless.Tests.Limits;

/// <summary>How long a run of the tests may take.</summary>
/// <param name="Test">One test: its class made, its method, its class disposed of.</param>
/// <param name="Stall">No test begins or ends: a fixture hangs, or the runner itself.</param>
/// <param name="Run">All of them.</param>
/// <param name="Grace">A test that is over its limit has this long to end once its token is cancelled, so that what it holds is not left
/// behind.</param>
internal sealed record RunLimits(TimeSpan Test, TimeSpan Stall, TimeSpan Run, TimeSpan Grace)
{
    /// <summary>On the command line, before the runner's own arguments: the four in seconds.</summary>
    public const string Option = "--limits";

    public static RunLimits Default { get; } =
        new(TimeSpan.FromMinutes(9), TimeSpan.FromMinutes(11), TimeSpan.FromMinutes(30), TimeSpan.FromSeconds(10));

    public static RunLimits Parse(string seconds)
    {
        TimeSpan[] each = [.. seconds.Split(',').Select(one => TimeSpan.FromSeconds(double.Parse(one, CultureInfo.InvariantCulture)))];
        return new RunLimits(each[0], each[1], each[2], each[3]);
    }
}
