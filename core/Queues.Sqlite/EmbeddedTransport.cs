using R1Serverless.Queues.Gateway;
using R1Serverless.Storage;
using R1Serverless.Storage.Files;

namespace R1Serverless.Queues.Sqlite;

/// <summary>Queue, replies and store in a folder that several processes of one machine may share: <c>queue.db</c> (SQLite), which has the results
/// too, and plain files below <c>store/</c>. What is acknowledged outlives the death of any process; a power cut may take the last moments before
/// it.</summary>
public sealed class EmbeddedTransport : Transport
{
    /// <summary>Where there is a small object for each request. What people put or look for in the folder themselves stays files.</summary>
    private static readonly string[] RowFolders = [ResultStore.Folder, RequestRecords.Folder, IdempotencyKeys.Folder];

    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(30);

    private readonly string _folder;
    private readonly TimeProvider _time;
    private readonly QueueDatabase _database;
    private readonly EmbeddedReplies _replies;
    private readonly FileObjectStore _files;
    private readonly RowObjectStore _rows;

    /// <param name="folder">On a local disk: network file systems don't lock well enough.</param>
    /// <param name="time">For waiting; the time of leases is the machine's.</param>
    /// <param name="options">Null for the defaults.</param>
    public EmbeddedTransport(string folder, TimeProvider time, EmbeddedOptions? options = null)
    {
        options ??= new EmbeddedOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.LeaseTime, TimeSpan.FromSeconds(0.1), nameof(options));
        _folder = Path.GetFullPath(folder);
        _time = time;
        _database = new QueueDatabase(Path.Combine(_folder, "queue.db"), time);
        _replies = new EmbeddedReplies(_database, time, options);
        _files = new FileObjectStore(Path.Combine(_folder, "store"), time, options.Clock);
        _rows = new RowObjectStore(_database, Path.Combine(_folder, "large"), options.Clock);
        Store = new SplitObjectStore(_rows, _files, RowFolders);
        Queue = new EmbeddedQueue(_database, WorkerId, time, options);
        Jobs = new StoreJobQueue(Store, time);
    }

    public override string Description => $"embedded, {_folder}";

    public override IRequestQueue Queue { get; }

    public override IReplyChannel Replies => _replies;

    public override IObjectStore Store { get; }

    /// <summary>Takes any name, for tests.</summary>
    internal IObjectStore Rows => _rows;

    public override IJobQueue Jobs { get; }

    public override async ValueTask OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            _files.Open();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new TransportException($"The data folder '{_folder}' can't be written: {fault.Message} Name another with --data.", fault,
                isPermanent: true);
        }

        // One process at a time creates the tables or changes the journal's kind.
        using (await FileLock.TakeAsync(Path.Combine(_folder, "open.lock"), _time, LockPatience, cancellationToken))
        {
            await _database.OpenAsync();
            await _rows.OpenAsync();
        }

        await _replies.PurgeAsync();
    }

    public override async ValueTask DisposeAsync()
    {
        await _replies.CloseAsync();
        await _database.DisposeAsync();
    }
}
