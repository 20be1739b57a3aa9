using System.Security.Cryptography;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Models.Layouts;
using R1Serverless.Storage;

namespace R1Serverless.ModelRegistry;

/// <summary>Puts a model folder into a shared repository as a new version. Its files lie in a folder of its own, so that of two pushes of one version
/// neither changes the other's. One that is killed leaves files that nobody sees; the next push of that version removes them.</summary>
public sealed class VersionPush(SharedRepository repository, TimeProvider time)
{
    /// <summary>For removing what nobody will see: no longer than one waits for a command that has failed.</summary>
    private static readonly TimeSpan CleanUp = TimeSpan.FromSeconds(10);

    /// <param name="by">User and machine.</param>
    /// <param name="progress">Bytes written of all bytes.</param>
    /// <exception cref="InvalidDataException">There is such a version already, or a name that no version or file may have.</exception>
    /// <exception cref="TransportException">The repository can't be reached or written.</exception>
    public Task<VersionManifest> RunAsync(ModelFolder model, string version, string by, IProgress<Transferred>? progress,
        CancellationToken cancellationToken) =>
        RunAsync(model.Name, model.Path, version, by, progress, cancellationToken, model.Manifest);

    /// <param name="manifest">The folder's, where it is a model.</param>
    internal async Task<VersionManifest> RunAsync(
        string model, string folder, string version, string by, IProgress<Transferred>? progress, CancellationToken cancellationToken,
        ModelManifest? manifest = null)
    {
        if (!ModelName.IsValid(model) || !ModelName.IsValid(version))
            throw new InvalidDataException(
                $"'{(ModelName.IsValid(model) ? version : model)}' can't be a name in a repository: up to 100 letters, digits, '.', '-' and '_', "
                + "the first no dot.");
        if (await repository.FindAsync(model, version, cancellationToken) is not null)
            throw new InvalidDataException(
                $"There is a version '{version}' of '{model}' in {repository.Description} already, and versions never "
                + "change: give another --version.");
        PushedFile[] files = [.. Files(new DirectoryInfo(folder), manifest)];
        if (files.FirstOrDefault(file => !ObjectName.IsValid(file.Path)) is { Path: var wrong })
            throw new InvalidDataException(
                $"'{wrong}' can't be a file's name in a repository: letters, digits, '.', '-' and '_'; rename or remove it.");

        VersionManifest pushed = new()
        {
            Format = VersionManifest.CurrentFormat, Model = model, Version = version, Pushed = time.GetUtcNow(), PushedBy = by,
            Folder = $"push-{Guid.NewGuid():n}", Files = [],
        };
        string name = SharedRepository.PlaceOf(model, version, VersionManifest.FileName),
            own = SharedRepository.PlaceOf(model, version, pushed.Folder) + "/";
        try
        {
            pushed = pushed with { Pushed = time.GetUtcNow(), Files = await PutFilesAsync(files, own, progress, cancellationToken) };
        }
        catch
        {
            await RemoveAsync(own, one => true);
            throw;
        }

        // Where this throws nobody knows whether the version is there, and its files stay.
        var isFirst = await repository.Store.PutAsync(name, pushed.Write(), PutCondition.Absent, cancellationToken) is not null;
        if (isFirst)
            await RemoveAsync(SharedRepository.PlaceOf(model, version, ""), one => one != name && !one.StartsWith(own, StringComparison.Ordinal));
        else await RemoveAsync(own, one => true);
        return isFirst ? pushed
            : throw new InvalidDataException(
            $"Another process pushed version '{version}' of '{model}' at the same time: push under another --version.");
    }

    private async Task<IReadOnlyList<VersionFile>> PutFilesAsync(PushedFile[] files, string own, IProgress<Transferred>? progress,
        CancellationToken cancellationToken)
    {
        List<VersionFile> pushed = [];
        long total = files.Sum(file => file.Bytes), done = 0;
        foreach (var file in files)
        {
            using var hash = SHA256.Create();
            await using var content = file.Open();
            await using HashedStream hashed = new(content, hash, () => progress?.Report(new Transferred(done + content.Position, total)));
            await repository.Store.PutAsync(own + file.Path, hashed, cancellationToken);
            pushed.Add(new VersionFile(file.Path, content.Length, Convert.ToHexStringLower(hash.Hash!)));
            done += content.Length;
        }

        return pushed;
    }

    /// <summary>What this can't remove does no harm.</summary>
    private async Task RemoveAsync(string below, Func<string, bool> isLeft)
    {
        using CancellationTokenSource late = new(CleanUp, time);
        try
        {
            List<string> left = [];
            await foreach (var entry in repository.Store.ListAsync(below, late.Token))
            {
                if (isLeft(entry.Name)) left.Add(entry.Name);
            }

            foreach (var one in left) await repository.Store.DeleteAsync(one, late.Token);
        }
        catch (Exception fault) when (fault is TransportException or OperationCanceledException)
        {
            // The version is as it should be.
        }
    }

    /// <summary>All but hidden ones: locks, and what is under way. What was measured of a model that another program made is told as of the files
    /// that are fetched, whose time of writing is another; and left out where it is of other files than these.</summary>
    private static IEnumerable<PushedFile> Files(DirectoryInfo folder, ModelManifest? manifest)
    {
        foreach (var file in folder.EnumerateFiles("*", SearchOption.AllDirectories).OrderBy(file => file.FullName, StringComparer.Ordinal))
        {
            var path = Path.GetRelativePath(folder.FullName, file.FullName).Replace('\\', '/');
            if (path.Split('/').Any(part => part.StartsWith('.')) || file.Name == VersionManifest.FileName) continue;
            if (path == ExternalEvaluations.FileName && manifest is { Layout: not FolderLayout.Built })
            {
                if (ExternalEvaluations.ForCopy(manifest, VerifiedFile.Mark) is { } content)
                    yield return new PushedFile(path, content.Length, () => new MemoryStream(content, writable: false));
                continue;
            }

            yield return new PushedFile(path, file.Length,
                () => new FileStream(file.FullName, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0,
                FileOptions.Asynchronous | FileOptions.SequentialScan));
        }
    }

    private sealed record PushedFile(string Path, long Bytes, Func<Stream> Open);

    /// <summary>Content that is hashed while it is read to its end.</summary>
    private sealed class HashedStream(Stream content, HashAlgorithm hash, Action onRead) : CryptoStream(content, hash, CryptoStreamMode.Read)
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await base.ReadAsync(buffer, cancellationToken);
            onRead();
            return read;
        }
    }
}

/// <summary>How far a push or a fetch is, in bytes.</summary>
public readonly record struct Transferred(long Done, long Total);
