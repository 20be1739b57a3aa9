using R1Serverless.Models;

namespace R1Serverless.Building;

/// <summary>
/// A hidden folder beside a build's target, renamed to it when whole and deleted otherwise. A lock file, held open, tells the folder of a build under
/// way from one that a killed process left behind; the next build removes the latter.
/// </summary>
internal sealed class BuildFolder : IDisposable
{
    private const string LockFile = ".lock", Prefix = ".building-", ReplacedPrefix = ".replaced-";
    private const int MoveAttempts = 10;

    private readonly FileStream _lock;

    private BuildFolder(string path)
    {
        Path = path;
        Directory.CreateDirectory(path);
        _lock = new FileStream(
            System.IO.Path.Combine(path, LockFile), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, bufferSize: 1, FileOptions.DeleteOnClose);
    }

    public string Path { get; }

    /// <exception cref="InvalidModelException">The target exists and is no model folder.</exception>
    public static BuildFolder Create(string target)
    {
        target = System.IO.Path.GetFullPath(target);
        var parent = System.IO.Path.GetDirectoryName(target) ?? throw new InvalidModelException($"{target} cannot be a model folder.");
        CheckReplaceable(target);
        Directory.CreateDirectory(parent);
        RemoveAbandoned(parent);
        return new BuildFolder(System.IO.Path.Combine(parent, $"{Prefix}{Guid.NewGuid():n}"));
    }

    /// <summary>Makes the finished folder the target, in place of an older model, unless another build has just made an equal one.</summary>
    public void MoveTo(string target, Func<string, bool> isEqual)
    {
        _lock.Dispose();
        for (var attempt = 1; ; attempt++)
        {
            if (isEqual(target))
            {
                return;
            }

            try
            {
                SetAside(target);
                Directory.Move(Path, target);
                return;
            }
            catch (IOException) when (attempt < MoveAttempts && Directory.Exists(Path))
            {
                // Another build renamed its folder to the target in between: replace that one.
            }
        }
    }

    public void Dispose()
    {
        _lock.Dispose();
        if (Directory.Exists(Path))
        {
            Directory.Delete(Path, recursive: true);
        }
    }

    private static void CheckReplaceable(string target)
    {
        // The second look is for a model that another build is just replacing.
        if (!IsModel(target) && (File.Exists(target) || (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())) && !IsModel(target))
        {
            throw new InvalidModelException($"{target} exists and is no built model; it is left alone. Choose another output folder.");
        }
    }

    private static bool IsModel(string folder) => File.Exists(System.IO.Path.Combine(folder, ModelManifest.FileName));

    private static void SetAside(string target)
    {
        if (!Directory.Exists(target))
        {
            return;
        }

        CheckReplaceable(target);
        var aside = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(target))!, $"{ReplacedPrefix}{Guid.NewGuid():n}");
        try
        {
            Directory.Move(target, aside);
        }
        catch (DirectoryNotFoundException)
        {
            return;
        }

        Directory.Delete(aside, recursive: true);
    }

    private static void RemoveAbandoned(string parent)
    {
        foreach (var folder in Directory.EnumerateDirectories(parent, $"{Prefix}*"))
        {
            try
            {
                var path = System.IO.Path.Combine(folder, LockFile);
                using var taken = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
                if (File.Exists(path))
                {
                    Directory.Delete(folder, recursive: true);
                }
            }
            catch (IOException)
            {
                // Locked: a build under way. Gone: it has just finished.
            }
        }
    }
}
