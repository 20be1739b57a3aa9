namespace R1Serverless.Queues.Embedded;

/// <summary>Takes objects that earlier versions kept as files into rows. Killed on the way, it goes on at the next opening.</summary>
internal static class FileImport
{
    private const int PerCommit = 256;

    /// <param name="store">The folder of the files.</param>
    /// <param name="prefix">Of the objects that are rows now.</param>
    /// <exception cref="TransportException">A file can't be read or removed.</exception>
    public static async ValueTask RunAsync(QueueDatabase database, string store, string prefix, CancellationToken cancellationToken)
    {
        DirectoryInfo folder = new(Path.Combine(store, prefix));
        if (!folder.Exists) return;
        foreach (ObjectEntry[] entries in FileWalk.Entries(folder, prefix, default).Chunk(PerCommit))
        {
            cancellationToken.ThrowIfCancellationRequested();
            List<(string Name, byte[] Content, long Written)> read = StoreFault.Guard(prefix, () => entries.Select(entry => Read(store, entry.Name)).ToList());
            await database.WriteAsync(tables => read.Count(one => tables.Objects.TryAdd(one.Name, new ObjectBody(one.Content.Length, one.Content, null), one.Written)));
            StoreFault.Guard(prefix, () => Remove(store, entries));
        }

        StoreFault.Guard(prefix, () =>
        {
            folder.Delete(recursive: true);
            return true;
        });
    }

    private static (string Name, byte[] Content, long Written) Read(string store, string name)
    {
        string path = Path.Combine(store, name);
        return (name, File.ReadAllBytes(path), File.GetLastWriteTimeUtc(path).Ticks);
    }

    private static int Remove(string store, ObjectEntry[] entries)
    {
        foreach (ObjectEntry entry in entries) File.Delete(Path.Combine(store, entry.Name));
        return entries.Length;
    }
}
