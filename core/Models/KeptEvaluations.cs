using R1Serverless.Models.Layouts;

namespace R1Serverless.Models;

/// <summary>What was measured of a model, on the disk: in the manifest of a built one, in a file of its own beside the graphs of one as it was found.</summary>
public static class KeptEvaluations
{
    /// <summary>Changes what is kept, under a lock: changes that are made at once are all kept.</summary>
    /// <param name="folder">As it was opened before it was measured.</param>
    /// <param name="change">From what is there now to what shall be.</param>
    /// <param name="time">For the wait for other writers.</param>
    /// <param name="cancellationToken">Ends that wait.</param>
    /// <returns>The file that keeps it.</returns>
    /// <exception cref="InvalidModelException">The model is damaged, or not the one that was measured.</exception>
    /// <exception cref="IOException">The folder can't be written, or another writer does not end.</exception>
    public static async Task<string> UpdateAsync(ModelFolder folder, Func<ModelManifest, ModelManifest> change, TimeProvider time, CancellationToken cancellationToken)
    {
        using var held = await EvaluationLock.TakeAsync(folder.Path, time, cancellationToken);
        var now = ModelFolder.Describe(folder.Path);
        if ((now.Fingerprint, now.Created) != (folder.Manifest.Fingerprint, folder.Manifest.Created))
            throw new InvalidModelException($"{folder.Name} was built again or replaced while it was measured: nothing is kept, evaluate it again.");
        var changed = change(now);
        var path = Path.Combine(folder.Path, now.Layout == FolderLayout.Built ? ModelManifest.FileName : FoundEvaluations.FileName);
        if (now.Layout == FolderLayout.Built) changed.Save(path);
        else FoundEvaluations.Of(changed).Save(path);
        return path;
    }
}
