using System.Buffers;
using Microsoft.Win32.SafeHandles;
using R1Serverless.Models;
using R1Serverless.Storage;
using R1Serverless.Storage.Files;

namespace R1Serverless.ModelRegistry;

/// <summary>
/// Brings the files of one version into a folder: several ranges at once, on from where a killed fetch was, and every file held against its hash
/// before the version counts as there.
/// Ranges carry the tag of the object as it was first seen, so that no file gets parts of two contents.
/// </summary>
/// <param name="time">For pauses between tries.</param>
internal sealed class VersionFetch(SharedRepository repository, TimeProvider time)
{
    /// <summary>Of one call: large enough to be worth it, small enough to be repeated.</summary>
    public const int RangeBytes = 4 << 20;

    /// <summary>Ranges under way at once.</summary>
    public const int Parallel = 6;

    private const int Tries = 5, Rounds = 3;

    private static readonly TimeSpan MinPause = TimeSpan.FromMilliseconds(200);

    private long _fetched;

    /// <summary>What came from the repository, rather than being there: linked, or left by a fetch that was killed.</summary>
    public long FetchedBytes => Interlocked.Read(ref _fetched);

    /// <summary>What lies in a fetch's folder of a version, without what another version shares with it, and without holes that are yet to be
    /// filled.</summary>
    /// <param name="isElsewhere">Whether a version in the cache has that hash.</param>
    public static long BytesThere(VersionManifest manifest, string staging, string target, Func<VersionFile, bool> isElsewhere)
    {
        using var journal = File.Exists(Path.Combine(staging, FetchJournal.FileName)) ? FetchJournal.Read(staging) : null;
        return manifest.Files.Select((file, i) => file.In(target) is var path && VerifiedFile.IsMarked(path, file)
            ? isElsewhere(file) ? 0 : file.Bytes
            : journal is not null && File.Exists(path) ? journal.There(i).Sum(range => BytesOf(file, range)) : 0).Sum();
    }

    /// <param name="staging">Holds the journal; only this process works in it.</param>
    /// <param name="target">Below it; gets the files.</param>
    /// <param name="known">Finds a verified file with this hash on the same disk; null where there is none.</param>
    /// <exception cref="InvalidModelException">The repository holds another content than its manifest says.</exception>
    /// <exception cref="TransportException">The repository can't be reached.</exception>
    /// <exception cref="IOException">The disk is full, or can't be written.</exception>
    public async Task RunAsync(VersionManifest manifest, string staging, string target, Func<VersionFile, string?> known,
        IProgress<Transferred>? progress, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(target);
        using var journal = FetchJournal.Open(staging);
        List<int> open = [];
        long there = 0;
        for (var i = 0; i < manifest.Files.Count; i++)
        {
            var path = manifest.Files[i].In(target);
            if (VerifiedFile.IsMarked(path, manifest.Files[i]) || await TryLinkAsync(i, manifest.Files[i], path, known, journal, cancellationToken))
                there += manifest.Files[i].Bytes;
            else open.Add(i);
        }

        Progress count = new(progress, there, manifest.Bytes);
        for (var round = 1; open.Count > 0; round++)
        {
            await FetchAsync(manifest, open, target, journal, count, cancellationToken);
            List<int> wrong = [];
            foreach (var file in open)
            {
                if (await VerifiedFile.TryMarkAsync(manifest.Files[file].In(target), manifest.Files[file], cancellationToken)) continue;
                journal.Forget(file);
                count.Add(-manifest.Files[file].Bytes);
                wrong.Add(file);
            }

            if (wrong.Count > 0 && round == Rounds)
                throw new InvalidModelException(
                    $"{manifest.Files[wrong[0]].Path} of {manifest.Model} {manifest.Version} in {repository.Description} is not what its manifest "
                    + "says (its SHA-256 is another): push the model again as another version.");
            open = wrong;
        }
    }

    private static int BytesOf(VersionFile file, long range) => (int)Math.Clamp(file.Bytes - range * RangeBytes, 0, RangeBytes);

    private static async Task<bool> TryLinkAsync(int index, VersionFile file, string path, Func<VersionFile, string?> known, FetchJournal journal,
        CancellationToken cancellationToken)
    {
        if (known(file) is not { } other) return false;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        // What is fetched must never be written into a file of another version.
        journal.Forget(index);
        File.Delete(path);
        var isSame = false;
        try
        {
            isSame = HardLink.TryCreate(other, path) && await VerifiedFile.TryMarkAsync(path, file, cancellationToken);
            return isSame;
        }
        finally
        {
            if (!isSame) File.Delete(path);
        }
    }

    private async Task FetchAsync(VersionManifest manifest, List<int> files, string target, FetchJournal journal, Progress count,
        CancellationToken cancellationToken)
    {
        List<Part> parts = [];
        List<SafeFileHandle> handles = [];
        try
        {
            foreach (var index in files)
            {
                var file = manifest.Files[index];
                string name = SharedRepository.ObjectOf(manifest, file), path = file.In(target);
                var head = await TryAsync(() => repository.Store.FindAsync(name, cancellationToken), cancellationToken)
                    ?? throw new InvalidModelException($"{name} is missing in {repository.Description}: push the model again as another version.");
                if (head.Bytes != file.Bytes)
                    throw new InvalidModelException(
                        $"{name} in {repository.Description} has {head.Bytes} bytes where its manifest says {file.Bytes}: push the model again as "
                        + "another version.");
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                var done = File.Exists(path) ? journal.Done(index, head.Tag) : new HashSet<long>();
                // Where nothing of it counts, it may be anybody's.
                if (done.Count == 0) File.Delete(path);
                var handle = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.Read, FileOptions.Asynchronous);
                handles.Add(handle);
                if (RandomAccess.GetLength(handle) != file.Bytes) RandomAccess.SetLength(handle, file.Bytes);
                for (long range = 0; range * RangeBytes < file.Bytes; range++)
                {
                    Part part = new(index, name, head.Tag, range, BytesOf(file, range), handle);
                    if (done.Contains(range)) count.Add(part.Bytes);
                    else parts.Add(part);
                }
            }

            ParallelOptions options = new() { MaxDegreeOfParallelism = Parallel, CancellationToken = cancellationToken };
            await System.Threading.Tasks.Parallel.ForEachAsync(parts, options, async (part, stop) =>
            {
                var buffer = ArrayPool<byte>.Shared.Rent(part.Bytes);
                try
                {
                    var read = await TryAsync(
                        () => repository.Store.ReadAsync(part.Name, part.Tag, part.Range * RangeBytes, buffer.AsMemory(0, part.Bytes), stop), stop);
                    // Replaced meanwhile: what is there can't be the version's; its hash will say so, and the next round looks anew.
                    if (read != part.Bytes) return;
                    await RandomAccess.WriteAsync(part.Handle, buffer.AsMemory(0, part.Bytes), part.Range * RangeBytes, stop);
                    journal.Add(part.File, part.Range, part.Tag);
                    Interlocked.Add(ref _fetched, part.Bytes);
                    count.Add(part.Bytes);
                }
                finally
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                }
            });
        }
        finally
        {
            foreach (var handle in handles) handle.Dispose();
        }
    }

    private async ValueTask<T> TryAsync<T>(Func<ValueTask<T>> call, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await call();
            }
            catch (TransportException fault) when (!fault.IsPermanent && attempt < Tries)
            {
                await Task.Delay(MinPause * (1 << attempt), time, cancellationToken);
            }
        }
    }

    private sealed record Part(int File, string Name, string Tag, long Range, int Bytes, SafeFileHandle Handle);

    private sealed class Progress(IProgress<Transferred>? to, long start, long total)
    {
        private long _done = start;

        public void Add(long bytes) => to?.Report(new Transferred(Interlocked.Add(ref _done, bytes), total));
    }
}
