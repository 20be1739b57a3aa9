using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>One way of starting a worker.</summary>
/// <param name="Prepared">What `r1 model prepare` made, or the plain graph.</param>
/// <param name="WarmedUp">Dummy runs and requests before it is ready, or none.</param>
/// <param name="Cold">The model's files are dropped from the page cache before each start.</param>
internal readonly record struct ColdStartWay(bool Prepared, bool WarmedUp, bool Cold);

/// <summary>One start. Times in seconds since the process's start.</summary>
/// <param name="Phases">When each step was reached, as /health/ready gives it.</param>
/// <param name="ReadSeconds">Reading the model's files from start to end, from the same cache state.</param>
/// <param name="FirstMilliseconds">The first request after readiness, of four tokens over a connection of its own.</param>
/// <param name="SteadyMilliseconds">The median of the requests after it, one behind the other.</param>
/// <param name="RestedMilliseconds">The median of still later ones, each after a rest, as the first was: then threads must be woken and caches filled
/// again.</param>
/// <param name="PeakBytes">The most resident memory.</param>
internal sealed record ColdStartSample(
    IReadOnlyDictionary<string, double> Phases, double ReadSeconds, double FirstMilliseconds, double SteadyMilliseconds, double RestedMilliseconds,
    long PeakBytes)
{
    public double First => FirstMilliseconds / SteadyMilliseconds;

    public double FirstRested => FirstMilliseconds / RestedMilliseconds;
}

/// <summary>Medians over the starts of one way.</summary>
/// <param name="FileBytes">The files that are loaded.</param>
/// <param name="FirstOverSteady">The first request's time over the median of the later ones: the median of the starts' ratios.</param>
/// <param name="FirstOverRested">The same against those that come after a rest.</param>
/// <param name="ReadyOverRead">Start to ready, without the warming, over the time to read the files.</param>
/// <param name="PeakOverFile">Peak memory over the files' size.</param>
internal sealed record ColdStartRow(
    string Model, ColdStartWay Way, long FileBytes, ColdStartSample Median, double FirstOverSteady, double FirstOverRested, double ReadyOverRead,
    double PeakOverFile)
{
    public static ColdStartRow Of(string model, ColdStartWay way, long fileBytes, IReadOnlyList<ColdStartSample> samples)
    {
        ColdStartSample median = new(
            samples[0].Phases.Keys.ToDictionary(phase => phase, phase => MedianOf(samples.Select(one => one.Phases[phase])), StringComparer.Ordinal),
            MedianOf(samples.Select(one => one.ReadSeconds)), MedianOf(samples.Select(one => one.FirstMilliseconds)),
            MedianOf(samples.Select(one => one.SteadyMilliseconds)),
            MedianOf(samples.Select(one => one.RestedMilliseconds)),
            (long)MedianOf(samples.Select(one => (double)one.PeakBytes)));
        return new ColdStartRow(
            model, way, fileBytes, median, MedianOf(samples.Select(one => one.First)), MedianOf(samples.Select(one => one.FirstRested)),
            MedianOf(samples.Select(one => WithoutWarming(one.Phases) / one.ReadSeconds)), (double)median.PeakBytes / fileBytes);
    }

    internal static double MedianOf(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>Start to ready, less the model's dummy runs and the requests over the port.</summary>
    private static double WithoutWarming(IReadOnlyDictionary<string, double> phases) => phases["sessions"];
}

/// <summary>The files that a start reads of a variant.</summary>
internal sealed record ColdStartFiles(IReadOnlyList<(string Path, long Bytes)> Files)
{
    public long Bytes => Files.Sum(file => file.Bytes);

    /// <param name="prepared">The folder of what was prepared and its manifest; null for the plain graph.</param>
    public static ColdStartFiles Of(ModelFolder model, ModelVariant variant, (string Path, PreparedManifest Manifest)? prepared)
    {
        if (prepared is not var (path, manifest))
            return new([.. variant.DataFiles.Prepend(variant.File).Select(file => Path.Combine(model.Path, file))
                .Select(file => (file, new FileInfo(file).Length))]);
        var graph = Path.Combine(path, PreparedManifest.GraphFile);
        var graphBytes = new FileInfo(graph).Length;
        // The hole at the end is not read.
        return new([(graph, graphBytes), (Path.Combine(path, PreparedManifest.WeightsFile), manifest.Bytes - graphBytes)]);
    }
}
