using R1Serverless.Models.Layouts;
using R1Serverless.Storage;
using R1Serverless.Storage.Files;

namespace R1Serverless.Models.Folders;

/// <summary>What was measured of a model, on the disk: in the manifest of a built one, in a file of its own beside the graphs of one as it was
/// found.</summary>
public static class StoredEvaluations
{
    /// <summary>Empty, and left where it is: who deleted it would take the lock from under those that have just opened it.</summary>
    internal const string LockFile = ".evaluation.lock";

    /// <summary>A change takes milliseconds: who waits for longer waits for something that hangs.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    internal static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(20);

    /// <summary>Changes what is kept, under a lock: changes that are made at once are all kept.</summary>
    /// <param name="folder">As it was opened before it was measured.</param>
    /// <param name="change">From what is there now to what shall be.</param>
    /// <param name="time">For the wait for other writers.</param>
    /// <param name="cancellationToken">Ends that wait.</param>
    /// <returns>The file that keeps it.</returns>
    /// <exception cref="InvalidModelException">The model is damaged, or not the one that was measured.</exception>
    /// <exception cref="TransportException">Another writer does not end, or the lock can't be opened.</exception>
    /// <exception cref="IOException">The folder can't be written.</exception>
    public static async Task<string> UpdateAsync(ModelFolder folder, Func<ModelManifest, ModelManifest> change, TimeProvider time,
        CancellationToken cancellationToken)
    {
        using var held = await FileLock.TakeAsync(Path.Combine(folder.Path, LockFile), time, Patience, cancellationToken, Pause);
        var now = ModelFolder.Describe(folder.Path);
        if ((now.Fingerprint, now.Created) != (folder.Manifest.Fingerprint, folder.Manifest.Created))
            throw new InvalidModelException($"{folder.Name} was built again or replaced while it was measured: nothing is kept, evaluate it again.");
        var changed = change(now);
        var path = Path.Combine(folder.Path, now.Layout == FolderLayout.Built ? ModelManifest.FileName : ExternalEvaluations.FileName);
        if (now.Layout == FolderLayout.Built) changed.Save(path);
        else ExternalEvaluations.Of(changed).Save(path);
        return path;
    }
}
