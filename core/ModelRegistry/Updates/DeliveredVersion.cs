using R1Serverless.Models.Folders;

namespace R1Serverless.ModelRegistry.Updates;

/// <summary>A version that is on this machine and open: it stays in the cache until it is disposed.</summary>
internal sealed class DeliveredVersion(ModelFolder folder, CachedVersion cached) : IDisposable
{
    public ModelFolder Folder => folder;

    public string Version => cached.Manifest.Version;

    /// <summary>By which the cache knows it.</summary>
    public string Key => cached.Key;

    public DateTimeOffset Pushed => cached.Manifest.Pushed;

    public void Dispose() => cached.Dispose();
}
