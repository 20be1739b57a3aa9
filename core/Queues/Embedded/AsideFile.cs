using System.Buffers;
using System.Runtime.InteropServices;

namespace R1Serverless.Queues.Embedded;

/// <summary>A file that is written aside, on the same disk, and then moved to its place whole, or kept where it is; if neither, it goes.</summary>
internal sealed partial class AsideFile : IAsyncDisposable
{
    // ENOENT and EEXIST, the same on Linux and macOS.
    private const int NoSuchFolder = 2, FileExists = 17;

    private const int BufferBytes = 128 << 10;

    private readonly string _path;
    private readonly FileStream _stream;
    private bool _kept;

    public AsideFile(string folder)
    {
        string path = Path.Combine(folder, Guid.NewGuid().ToString("N"));
        _path = path;
        _stream = StoreFault.Guard(path, () => new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.Asynchronous));
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
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
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
        try
        {
            // Elsewhere than on Windows a move looks first and replaces then, so that two may both succeed; only a link is refused by the system.
            if (!OperatingSystem.IsWindows())
            {
                if (Link(_path, path) == 0) return true;
                if (Marshal.GetLastPInvokeError() == NoSuchFolder)
                {
                    Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                    if (Link(_path, path) == 0) return true;
                }

                if (Marshal.GetLastPInvokeError() == FileExists) return false;
            }

            Move(path, overwrite: false);
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
        Move(path, overwrite: true);
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        if (!_kept) File.Delete(_path);
    }

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Link(string from, string to);

    private void Move(string path, bool overwrite)
    {
        try
        {
            File.Move(_path, path, overwrite);
        }
        catch (DirectoryNotFoundException)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.Move(_path, path, overwrite);
        }
    }
}
