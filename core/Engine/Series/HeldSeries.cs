using R1Serverless.Abstractions.Series;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Scheduling.Series;

namespace R1Serverless.Engine.Series;

/// <summary>What is kept of a series between requests. Never changed: a request that ends well puts another in its place.</summary>
/// <param name="Progress">Which events have been taken.</param>
/// <param name="Window">The last events as they came; empty where the model takes each by itself.</param>
/// <param name="EventBytes">Of one event of <paramref name="Window"/>.</param>
/// <param name="States">In the order of the settings.</param>
/// <param name="Made">The graph that made the states: one of another version or precision can't go on from them.</param>
/// <param name="Last">The answer to the last request.</param>
internal sealed record HeldSeries(
    SeriesProgress Progress, SeriesWindow Window, int EventBytes, IReadOnlyList<Tensor> States, string Made, SeriesAnswer Last)
{
    /// <summary>Of what holds it together.</summary>
    private const int Overhead = 512;

    public long Bytes(SeriesKey key) => Overhead + (2L * (key.Key.Length + key.Owner.Length)) + Window.Events.Length + Sum(States) + Sum(Last.Outputs)
        + (Last.Decisions.Count * 64L);

    private static long Sum(IReadOnlyList<Tensor> tensors) => tensors.Sum(one => (long)one.Data.Length);
}
