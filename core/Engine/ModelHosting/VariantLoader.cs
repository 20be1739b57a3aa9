using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Runtime;

namespace R1Serverless.Engine.ModelHosting;

/// <summary>Loads and unloads variants within the memory budget: one load per variant at a time and on a thread of its own; idle variants leave for
/// it, the least recently used first.</summary>
/// <param name="models">All there are; what changes of them is guarded by their <see cref="HostedModels.Gate"/>.</param>
internal sealed class VariantLoader(HostedModels models, ModelHostOptions options, VariantOpener open, TimeProvider time)
{
    /// <summary>Starts loading, if there is room or idle variants can make it. Under the lock.</summary>
    /// <param name="one">Not loaded, and no load of it under way.</param>
    /// <param name="staying">Variants that make no room for it.</param>
    public void TryBegin(HostedVariant one, IReadOnlyCollection<HostedVariant>? staying = null)
    {
        if (Eviction.Choose(models.All, one.MemoryBytes, options.MemoryBytes, staying) is not { } leaving) return;
        foreach (var idle in leaving) Unload(idle, "to make room");

        // Also those that leave for others: what this load counts on may be theirs.
        one.Loading = LoadAsync(one, [.. models.All.Select(other => other.Unloading).OfType<Task>()]);
    }

    /// <summary>Unloads an idle variant. Under the lock.</summary>
    /// <param name="one">The variant.</param>
    /// <param name="why">For the operator.</param>
    public void Unload(HostedVariant one, string why)
    {
        one.Unloading = UnloadAsync(one, one.Loaded!, why);
        one.Loaded = null;
    }

    /// <summary>A variant of a version that takes no more requests goes as soon as nothing runs in it. Under the lock.</summary>
    public void Retire(HostedVariant one)
    {
        if (one.Role != VersionRole.Retiring) return;
        if (one.IsIdle) Unload(one, "as its version is served no more");
        else if (!one.TakesMemory && one.Unloading is null) models.Forget(one);
    }

    private static string Name(HostedVariant one) =>
        $"{one.Folder.Name}{(one.Folder.Version is { } version ? $" {version}" : "")} {PrecisionName.Of(one.Variant.Precision)}";

    /// <summary>By its path, as versions in the cache and models from folders have no name that a command finds.</summary>
    private static string Quoted(string path) => path.Contains(' ', StringComparison.Ordinal) ? $"\"{path}\"" : path;

    /// <summary>Never throws: whatever a load's fault is, it fails the requests for that variant and nothing else.</summary>
    private async Task<bool> LoadAsync(HostedVariant one, Task[] before)
    {
        // The caller holds the lock.
        await Task.Yield();
        try
        {
            await Task.WhenAll(before);
            // Side by side: a large vocabulary takes as long to read as a session to make.
            var reading = one.Text.ReadAsync();
            var opened = await DedicatedThread.Start($"load {Name(one)}", () => open(one.Folder, one.Variant));
            var loaded = await CompleteAsync(opened, reading);
            string? misplaced;
            lock (models.Gate) misplaced = models.Settle(loaded.Provider.Name);
            if (misplaced is not null)
            {
                await loaded.DisposeAsync();
                throw new ModelLoadException(misplaced);
            }

            lock (models.Gate)
            {
                (one.Loaded, one.Loading, one.Failure, models.Device) = (loaded, null, null, loaded.Provider.Name);
                // Those who asked for it may have left meanwhile: then it can make room for others at once.
                Retire(one);
                models.Room.Set();
            }

            if (loaded.PreparedRefusal is { } refusal)
                options.Warn?.Invoke(
                    $"What was prepared of {Name(one)} is not used: {refusal}. The plain model is, which takes longer to load; `r1 model prepare "
                    + $"{Quoted(one.Folder.Path)}` prepares it for this machine.");
            if (loaded.PrefixFileRefusal is { } fileless) options.Warn?.Invoke($"{Name(one)} keeps no prefixes on the disk: {fileless}");
            if (loaded.TextRefusal is { } textless)
                options.Warn?.Invoke($"{Name(one)} takes tensors and no texts: {textless}{(textless.EndsWith('.') ? "" : ".")}");
            if (loaded.Folder.ImageRefusal is { } imageless)
                options.Warn?.Invoke($"{Name(one)} takes tensors and no images: {imageless}.");
            var lone = loaded.Signature?.NotBatched is { } reason ? $" It runs one request at a time: {reason}." : "";
            options.Progress?.Report($"Loaded {Name(one)} in {(loaded.LoadTime + loaded.WarmupTime).TotalSeconds:0.00} s.{lone}");
            return true;
        }
        catch (Exception fault)
        {
            FreedMemory.Return();
            lock (models.Gate)
            {
                (one.Loading, one.Failure, one.FailedAt) = (null, fault, time.GetTimestamp());
                Retire(one);
                models.Room.Set();
            }

            options.Progress?.Report($"{Name(one)} could not be loaded: {fault.Message}");
            return false;
        }
    }

    private static async Task<LoadedVariant> CompleteAsync(OpenedVariant opened, Task<ModelText?> reading)
    {
        try
        {
            return opened.Complete(await reading);
        }
        catch
        {
            opened.Abandon();
            throw;
        }
    }

    private async Task UnloadAsync(HostedVariant one, LoadedVariant loaded, string why)
    {
        await Task.Yield();
        try
        {
            await loaded.DisposeAsync();
            // Before anything is loaded in its place, as what that allocates may not fit into what this one left.
            FreedMemory.Return();
        }
        finally
        {
            lock (models.Gate)
            {
                one.Unloading = null;
                Retire(one);
                models.Room.Set();
            }
        }

        options.Progress?.Report($"Unloaded {Name(one)} {why}.");
    }
}
