using R1Serverless.Scheduling.Series;

namespace R1Serverless.Engine.ModelHosting;

/// <summary>The limits within which a <see cref="ModelHost"/> keeps variants in memory.</summary>
public sealed record ModelHostOptions
{
    /// <summary>Bytes that all loaded variants may take together, weights and memory for keys and values.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>The execution provider, as evaluations name it: cpu or cuda.</summary>
    public string Device { get; init; } = "cpu";

    /// <summary>Requests that may wait for a variant to be loaded, 1 to 1,000,000; beyond that they are refused with "queue full".</summary>
    public int MaxWaiting { get; init; } = 1024;

    /// <summary>How long a request waits for others to leave a variant that would make room for its own; then it is refused with
    /// "unavailable".</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long new requests are held back at most while a version's last ones end, where the next one has no room beside it.</summary>
    public TimeSpan RunDry { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Until that is tried again, where it was not enough: requests get more of the time than the swap does.</summary>
    public TimeSpan RetrySwap { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Whether what a new version's manifest marks is loaded with it, as at a start.</summary>
    public bool LoadsMarked { get; init; } = true;

    /// <summary>For so long nothing is asked of a variant that could not be loaded; then the next request tries again.</summary>
    public TimeSpan RetryLoad { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>What the windows and states of series may take, beside the models.</summary>
    public SeriesLimits Series { get; init; } = SeriesLimits.Default;

    /// <summary>Takes lines for the operator: what was loaded, unloaded, and could not be loaded. Called from any thread.</summary>
    public IProgress<string>? Progress { get; init; }

    /// <summary>Takes sentences that the operator should act on. Called from any thread.</summary>
    public Action<string>? Warn { get; init; }
}
