using System.Buffers;

namespace R1Serverless.Storage.Files;

/// <summary>A file that is written aside, on the same disk, and then moved to its place whole, or kept where it is; if neither, it goes.</summary>
public sealed class AtomicFile : IAsyncDisposable
{
    private const int BufferBytes = 128 << 10;

    private readonly string _path;
    private readonly FileStream _stream;
    private bool _kept;

    public AtomicFile(string folder)
    {
        var path = Path.Combine(folder, Guid.NewGuid().ToString("N"));
        _path = path;
        _stream = StoreFault.Guard(path,
            () => new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.Asynchronous));
    }

    /// <summary>Replaces a file as a whole, on the disk for good: readers see the old one or the new one.</summary>
    /// <param name="mode">Of the new file, where the system has modes; null for the usual one.</param>
    public static void Replace(string path, Action<Stream> write, UnixFileMode? mode = null)
    {
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = mode;
        var written = $"{path}.{Guid.NewGuid():N}.new";
        try
        {
            using (FileStream stream = new(written, options))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(written, path, overwrite: true);
        }
        catch
        {
            File.Delete(written);
            throw;
        }
    }

    /// <summary>Where it lies in its folder.</summary>
    public string Name => Path.GetFileName(_path);

    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        try
        {
            await _stream.WriteAsync(bytes, cancellationToken);
        }
        catch (Exception fault) when (StoreFault.Is(fault))
        {
            throw StoreFault.Of(_path, fault);
        }
    }

    /// <summary>Writes a stream to its end; how many bytes it had.</summary>
    public async ValueTask<long> WriteAsync(Stream content, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            long bytes = 0;
            while (await content.ReadAsync(buffer, cancellationToken) is > 0 and var read)
            {
                await WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                bytes += read;
            }

            return bytes;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>No more is written.</summary>
    public void Close() => _stream.Dispose();

    /// <summary>It stays under its <see cref="Name"/>.</summary>
    public void Keep() => _kept = true;

    /// <summary>False if there is a file at the place already. Of several that try, one succeeds.</summary>
    public bool TryPlace(string path, DateTime written)
    {
        File.SetLastWriteTimeUtc(_path, written);
        // A move may look first and replace then, so that two may both succeed; a second link is refused by the system.
        if (HardLink.TryCreate(_path, path)) return true;
        if (File.Exists(path)) return false;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        if (HardLink.TryCreate(_path, path)) return true;
        try
        {
            // A disk without links.
            File.Move(_path, path, overwrite: false);
            return true;
        }
        catch (IOException) when (File.Exists(path))
        {
            return false;
        }
    }

    public void Replace(string path, DateTime written)
    {
        File.SetLastWriteTimeUtc(_path, written);
        try
        {
            File.Move(_path, path, overwrite: true);
        }
        catch (DirectoryNotFoundException)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.Move(_path, path, overwrite: true);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        if (!_kept) File.Delete(_path);
    }
}
