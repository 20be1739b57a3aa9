using Microsoft.Extensions.Time.Testing;
using R1Serverless.Serving;

namespace R1Serverless.Tests.Serving;

public sealed class StartupTimelineTests
{
    [Fact]
    public void Phases_are_told_in_their_order_and_count_once()
    {
        FakeTimeProvider time = new();
        StartupTimeline timeline = new(time);
        time.Advance(TimeSpan.FromSeconds(2));
        timeline.Mark(StartupPhase.Ready);
        var later = time.GetTimestamp();
        timeline.TryMark(StartupPhase.PortOpen, later - (time.TimestampFrequency / 2));
        time.Advance(TimeSpan.FromSeconds(5));
        timeline.Mark(StartupPhase.Ready);
        Assert.Equal(["port_open", "ready"], timeline.Reached.Select(one => one.Phase));
        Assert.Equal(0.5, timeline.Reached[1].Seconds - timeline.Reached[0].Seconds, 3);
        // This very process is older than the timeline.
        Assert.InRange(timeline.Reached[1].Seconds, 2, 100_000);
    }
}
