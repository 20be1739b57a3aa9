using System.Globalization;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Batches;

/// <summary>Removes files that are kept for a time only. Each has a mark, <c>file-expiry/{seconds}/{id}</c>, whose age by the store's clock is the
/// file's.</summary>
internal static class FileExpiry
{
    private const string Folder = "file-expiry/";

    public static string Mark(StoredFile file) => string.Create(CultureInfo.InvariantCulture, $"{Folder}{file.Expires - file.Created}/{file.Id}");

    /// <summary>Deletes the files whose time is up, but for those that a batch still reads; how many are gone.</summary>
    public static async ValueTask<int> PurgeAsync(IObjectStore store, CancellationToken cancellationToken)
    {
        List<(string Mark, string Id)> due = [];
        await foreach (var entry in store.ListAsync(Folder, cancellationToken))
        {
            if (entry.Name[Folder.Length..].Split('/') is [var seconds, var id]
                && long.TryParse(seconds, NumberStyles.None, CultureInfo.InvariantCulture, out var kept) && entry.Age.TotalSeconds > kept)
                due.Add((entry.Name, id));
        }

        if (due.Count == 0) return 0;
        // Ages come with the marks: no clock is asked here.
        FileStore files = new(store, TimeProvider.System);
        var read = await new BatchJobs(store, TimeProvider.System).ListInputsAsync(cancellationToken);
        var purged = 0;
        foreach ((var mark, var id) in due)
        {
            if (read.Contains(FileStore.Content(id))) continue;
            if (await files.ReadAsync(id, cancellationToken) is { } file) await files.DeleteAsync(file, cancellationToken);
            else await store.DeleteAsync(mark, cancellationToken);
            purged++;
        }

        return purged;
    }
}
