namespace R1Serverless.Storage.Files;

/// <summary>The objects below a folder.</summary>
public static class FileWalk
{
    /// <summary>In ordinal order of their names; what goes meanwhile is left out, and what somebody put there that no object is: pipes and
    /// devices, and files under names that no object has.</summary>
    public static IEnumerable<ObjectEntry> Entries(DirectoryInfo folder, string prefix, DateTime now)
    {
        foreach ((var name, var info) in Sorted(folder))
        {
            if (info is DirectoryInfo below)
            {
                foreach (var entry in Entries(below, prefix + name, now)) yield return entry;
            }
            else if (TryEntry(prefix + name, (FileInfo)info, now) is { } entry)
            {
                yield return entry;
            }
        }
    }

    /// <summary>A folder stands where the slash after its name puts what lies in it.</summary>
    private static List<(string Name, FileSystemInfo Info)> Sorted(DirectoryInfo folder)
    {
        try
        {
            List<(string Name, FileSystemInfo Info)> all =
                [.. folder.EnumerateFileSystemInfos().Where(info => ObjectName.IsValid(info.Name))
                    .Select(info => (info is DirectoryInfo ? info.Name + "/" : info.Name, info))];
            all.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
            return all;
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
        catch (Exception fault) when (StoreFault.Is(fault))
        {
            throw StoreFault.Of(folder.FullName, fault);
        }
    }

    private static ObjectEntry? TryEntry(string name, FileInfo file, DateTime now)
    {
        try
        {
            // What is no file has no length either, and a link's own length says nothing.
            if ((file.Length == 0 || file.Attributes.HasFlag(FileAttributes.ReparsePoint)) && !RegularFile.Is(file.FullName)) return null;
            var age = now - file.LastWriteTimeUtc;
            return new ObjectEntry(name, file.Length, age > TimeSpan.Zero ? age : TimeSpan.Zero);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }
}
