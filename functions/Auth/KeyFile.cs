using R1Serverless.Storage;
using R1Serverless.Storage.Files;

namespace R1Serverless.Auth;

/// <summary>
/// Keys in a file on this machine. Looked at again and again, not watched: that also sees files on shares and those that Kubernetes swaps by a link,
/// and the file is small.
/// </summary>
internal sealed class KeyFile(string path) : KeySource
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    public override string Description => path;

    public override TimeSpan Interval { get; } = TimeSpan.FromSeconds(1);

    public override async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await File.ReadAllBytesAsync(path, cancellationToken);
        }
        catch (Exception fault) when (fault is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new KeySourceException(fault.Message, fault);
        }
    }

    /// <summary>Readers see the old file or the new one. A new file is its owner's only; one that is there keeps its mode, which somebody
    /// chose.</summary>
    public override async ValueTask ChangeAsync(Func<ReadOnlyMemory<byte>?, ReadOnlyMemory<byte>> change, CancellationToken cancellationToken)
    {
        try
        {
            var target = new FileInfo(path).LinkTarget is null ? path : File.ResolveLinkTarget(path, returnFinalTarget: true)!.FullName;
            await using var others = Lock(target);
            var content = change(await ReadAsync(cancellationToken));
            var mode = !OperatingSystem.IsWindows() && File.Exists(target) ? File.GetUnixFileMode(target) : OwnerOnly;
            AtomicFile.Replace(target, stream => stream.Write(content.Span), mode);
        }
        catch (Exception fault) when (fault is UnauthorizedAccessException)
        {
            throw new KeySourceException(fault.Message, fault);
        }
    }

    private static FileStream Lock(string target)
    {
        try
        {
            return new FileStream(target + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1,
                FileOptions.DeleteOnClose);
        }
        catch (DirectoryNotFoundException fault)
        {
            throw new KeySourceException($"There is no folder {Path.GetDirectoryName(Path.GetFullPath(target))} for the keys: make it first.", fault);
        }
        catch (IOException fault)
        {
            throw new KeySourceException($"Another command is changing {target} right now: try again.", fault);
        }
    }
}
