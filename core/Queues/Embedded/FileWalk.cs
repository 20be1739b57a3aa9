namespace R1Serverless.Queues.Embedded;

/// <summary>The objects below a folder.</summary>
internal static class FileWalk
{
    /// <summary>In ordinal order of their names; what goes meanwhile is left out, and files that somebody put there under names that no object has.</summary>
    public static IEnumerable<ObjectEntry> Entries(DirectoryInfo folder, string prefix, DateTime now)
    {
        foreach ((string name, FileSystemInfo info) in Sorted(folder))
        {
            if (info is DirectoryInfo below)
            {
                foreach (ObjectEntry entry in Entries(below, prefix + name, now)) yield return entry;
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
            List<(string Name, FileSystemInfo Info)> all = [.. folder.EnumerateFileSystemInfos().Where(info => ObjectName.IsValid(info.Name)).Select(info => (info is DirectoryInfo ? info.Name + "/" : info.Name, info))];
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
            TimeSpan age = now - file.LastWriteTimeUtc;
            return new ObjectEntry(name, file.Length, age > TimeSpan.Zero ? age : TimeSpan.Zero);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }
}
