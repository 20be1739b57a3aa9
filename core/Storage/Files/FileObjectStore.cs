using System.Runtime.CompilerServices;

namespace R1Serverless.Storage.Files;

/// <summary>
/// Objects as plain files of their names below a folder, written aside and moved to their place. A file's time of writing is its tag: a writer that
/// replaces one holds its lock and sets a later time. An object can't have the name of a folder that others lie in.
/// </summary>
public sealed class FileObjectStore(string folder, TimeProvider time, TimeProvider clock) : IObjectStore
{
    private const int BufferBytes = 128 << 10;

    private static readonly TimeSpan AbandonedAfter = TimeSpan.FromDays(1);

    private readonly FileLocks _locks = new(Path.Combine(folder, ".locks"), time);
    private readonly string _aside = Path.Combine(folder, ".new");

    /// <summary>Called where an object is missing; may throw a <see cref="TransportException"/>, as where a share is not mounted.</summary>
    public Action OnMissing { get; init; } = static () => { };

    /// <summary>Creates the folders, and removes what killed writers left.</summary>
    public void Open()
    {
        _locks.Open();
        var now = clock.GetUtcNow().UtcDateTime;
        foreach (var left in Directory.CreateDirectory(_aside).EnumerateFiles())
        {
            if (now - left.LastWriteTimeUtc > AbandonedAfter) left.Delete();
        }
    }

    public async ValueTask<string?> PutAsync(string name, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken)
    {
        var path = PathOf(name);
        if (condition.IfAbsent && File.Exists(path)) return null;
        await using AtomicFile aside = new(_aside);
        await aside.WriteAsync(content, cancellationToken);
        aside.Close();
        return await PlaceAsync(name, path, aside, condition, cancellationToken);
    }

    public async ValueTask PutAsync(string name, Stream content, CancellationToken cancellationToken)
    {
        var path = PathOf(name);
        await using AtomicFile aside = new(_aside);
        await aside.WriteAsync(content, cancellationToken);
        aside.Close();
        await PlaceAsync(name, path, aside, PutCondition.Always, cancellationToken);
    }

    public async ValueTask<StoredObject?> GetAsync(string name, CancellationToken cancellationToken)
    {
        await using var stream = Find(name, bufferSize: 0);
        if (stream is null) return null;
        try
        {
            var content = new byte[stream.Length];
            await stream.ReadExactlyAsync(content, cancellationToken);
            return new StoredObject(content, Tag(File.GetLastWriteTimeUtc(stream.SafeFileHandle)));
        }
        catch (Exception fault) when (StoreFault.Is(fault))
        {
            throw StoreFault.Of(name, fault);
        }
    }

    public ValueTask<Stream?> OpenAsync(string name, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult<Stream?>(Find(name, BufferBytes));
    }

    public ValueTask<ObjectHead?> FindAsync(string name, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        using var stream = Find(name, bufferSize: 0);
        return ValueTask.FromResult<ObjectHead?>(
            stream is null ? null : new ObjectHead(stream.Length, Tag(File.GetLastWriteTimeUtc(stream.SafeFileHandle))));
    }

    public async ValueTask<ObjectChange> GetIfChangedAsync(string name, string knownTag, CancellationToken cancellationToken)
    {
        if (await FindAsync(name, cancellationToken) is { } found && found.Tag == knownTag) return default;
        var stored = await GetAsync(name, cancellationToken);
        return stored?.Tag == knownTag ? default : new ObjectChange(true, stored);
    }

    public async ValueTask<int?> ReadAsync(string name, string tag, long offset, Memory<byte> into, CancellationToken cancellationToken)
    {
        // The open file is one version of the object, whatever takes its name meanwhile.
        await using var stream = Find(name, bufferSize: 0);
        if (stream is null || Tag(File.GetLastWriteTimeUtc(stream.SafeFileHandle)) != tag) return null;
        try
        {
            stream.Position = offset;
            return await stream.ReadAtLeastAsync(into, into.Length, throwOnEndOfStream: false, cancellationToken);
        }
        catch (Exception fault) when (StoreFault.Is(fault))
        {
            throw StoreFault.Of(name, fault);
        }
    }

    public ValueTask<bool> ExistsAsync(string name, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (File.Exists(PathOf(name))) return ValueTask.FromResult(true);
        OnMissing();
        return ValueTask.FromResult(false);
    }

    public async ValueTask<bool> DeleteAsync(string name, CancellationToken cancellationToken)
    {
        var path = PathOf(name);
        if (!File.Exists(path)) return false;
        using var held = await _locks.TakeAsync(name, cancellationToken);
        return StoreFault.Guard(name, () =>
        {
            if (!File.Exists(path)) return false;
            File.Delete(path);
            return true;
        });
    }

    public async IAsyncEnumerable<ObjectEntry> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ObjectName.CheckPrefix(prefix);
        // The walk is synchronous: the caller's thread is not to bear it.
        await Task.Yield();
        foreach (var entry in FileWalk.Entries(new DirectoryInfo(Path.Combine(folder, prefix)), prefix, clock.GetUtcNow().UtcDateTime))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return entry;
        }

        OnMissing();
    }

    private FileStream? Find(string name, int bufferSize)
    {
        var stream = Find(name, PathOf(name), bufferSize);
        if (stream is null) OnMissing();
        return stream;
    }

    /// <summary>Null if there is no such file.</summary>
    public static FileStream? Find(string name, string path, int bufferSize)
    {
        if (!RegularFile.Is(path)) return null;
        return StoreFault.Guard(name, () =>
        {
            try
            {
                return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize,
                    FileOptions.Asynchronous);
            }
            catch (Exception fault) when (fault is FileNotFoundException or DirectoryNotFoundException || Directory.Exists(path))
            {
                return null;
            }
        });
    }

    private static string Tag(DateTime written) => written.Ticks.ToString("x");

    private async ValueTask<string?> PlaceAsync(string name, string path, AtomicFile aside, PutCondition condition,
        CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        if (condition.IfAbsent)
            return StoreFault.Guard(name, () => aside.TryPlace(path, now) ? Tag(now) : null);

        using var held = await _locks.TakeAsync(name, cancellationToken);
        return StoreFault.Guard(name, () =>
        {
            DateTime? old = File.Exists(path) ? File.GetLastWriteTimeUtc(path) : null;
            if (condition.IfTag is { } tag && (old is null || Tag(old.Value) != tag)) return null;
            var written = old >= now ? old.Value.AddTicks(1) : now;
            aside.Replace(path, written);
            return Tag(written);
        });
    }

    private string PathOf(string name)
    {
        ObjectName.Check(name);
        return Path.Combine(folder, name);
    }
}
