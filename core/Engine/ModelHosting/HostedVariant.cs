using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Engine.ModelHosting;

/// <summary>A variant that a <see cref="ModelHost"/> has or may load. What changes is guarded by the host's lock.</summary>
internal sealed class HostedVariant(ModelFolder folder, ModelVariant variant, HostedText text, long memoryBytes)
{
    public ModelFolder Folder => folder;

    public ModelVariant Variant => variant;

    /// <summary>Shared by the model's variants, and read when a request first needs it.</summary>
    public HostedText Text => text;

    /// <summary>What it takes of the budget while it is loaded or being loaded.</summary>
    public long MemoryBytes => memoryBytes;

    public LoadedVariant? Loaded { get; set; }

    /// <summary>The load under way: whether it came to a good end. Null where there is none.</summary>
    public Task<bool>? Loading { get; set; }

    /// <summary>The end of an earlier life. Its memory no longer counts, but the next load waits for it.</summary>
    public Task? Unloading { get; set; }

    /// <summary>Why the last load failed; null after a good one.</summary>
    public Exception? Failure { get; set; }

    /// <summary>The same in words. Clients read them too, whom it does not concern where this machine keeps its files.</summary>
    public string? Reason => Failure?.Message.Replace(folder.Path + Path.DirectorySeparatorChar, "", StringComparison.Ordinal);

    /// <summary>When that was, as a timestamp.</summary>
    public long FailedAt { get; set; }

    /// <summary>Requests that run in it or wait for it.</summary>
    public int Leases { get; set; }

    /// <summary>The greater, the later it was used.</summary>
    public long LastUse { get; set; }

    /// <summary>Whether requests are given to it.</summary>
    public VersionRole Role { get; set; }

    public bool TakesMemory => Loaded is not null || Loading is not null;

    public bool IsIdle => Loaded is not null && Leases == 0;

    public VariantStatus Status => new(folder, variant, memoryBytes, Loaded, IsLoading: Loading is not null, Reason) { Role = Role };
}

/// <summary>Where a variant stands right now.</summary>
/// <param name="MemoryBytes">What it takes of the memory budget while loaded.</param>
/// <param name="Loaded">Null while it is only on the disk.</param>
/// <param name="Failure">Why it could not be loaded the last time it was tried, for the operator; else null.</param>
public sealed record VariantStatus(ModelFolder Folder, ModelVariant Variant, long MemoryBytes, LoadedVariant? Loaded, bool IsLoading, string? Failure)
{
    public VersionRole Role { get; init; }
}

/// <summary>What part a version of a model plays.</summary>
public enum VersionRole
{
    /// <summary>New requests get it.</summary>
    Current,

    /// <summary>It is being loaded beside the current one.</summary>
    Candidate,

    /// <summary>It finishes the requests it has, and goes.</summary>
    Retiring,
}
