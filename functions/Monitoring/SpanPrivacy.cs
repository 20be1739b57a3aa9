using System.Diagnostics;
using OpenTelemetry;

namespace R1Serverless.Monitoring;

/// <summary>The last look at a span before it leaves: addresses lose their queries, where somebody may have put a key.</summary>
internal sealed class SpanPrivacy : BaseProcessor<Activity>
{
    private const string Query = "url.query", Full = "url.full";

    public override void OnEnd(Activity data) => data.SetTag(Query, null).SetTag(Full, null);
}
