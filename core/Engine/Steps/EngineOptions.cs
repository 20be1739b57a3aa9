namespace R1Serverless.Engine.Steps;

/// <summary>The engine's knobs; everything else is learnt or a constant beside its use.</summary>
public sealed record EngineOptions
{
    /// <summary>Memory for keys and values in bytes, over all slots of one variant; at least 1 MiB.</summary>
    public long KvMemory { get; init; } = 1L << 30;

    /// <summary>Sequences that may wait for a slot before requests are refused with "queue full", 1 to 1,000,000.</summary>
    public int MaxWaiting { get; init; } = 1024;

    /// <summary>Whether a variant does dummy runs before it is ready.</summary>
    public bool WarmsUp { get; init; } = true;

    /// <summary>Between whose requests prompts that begin alike are computed once.</summary>
    public PrefixSharing PrefixSharing { get; init; }

    /// <summary>Where shared prefixes outlive the process: a file for each variant; null for nowhere.</summary>
    public string? PrefixFolder { get; init; }

    /// <summary>Bytes of each file there.</summary>
    public long PrefixFileBytes { get; init; }

    /// <summary>The longest a decode step should take; batches stay small enough for it.</summary>
    public TimeSpan StepTime { get; init; } = TimeSpan.FromMilliseconds(250);
}
