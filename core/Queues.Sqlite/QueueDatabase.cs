using System.Collections.Concurrent;
using System.Collections.Immutable;
using Microsoft.Data.Sqlite;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Sqlite;

/// <summary>The one connection of this process to <c>queue.db</c>, owned by a thread. What arrives together is committed together. While somebody
/// waits for what other processes write, the thread looks for it every 2 to 25 ms.</summary>
internal sealed class QueueDatabase : IAsyncDisposable
{
    private const int MaxPerCommit = 256;

    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(2), LongestPause = TimeSpan.FromMilliseconds(25);

    private readonly string _path;
    private readonly BlockingCollection<Work> _work = [];
    private readonly List<Work> _writes = [];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private SqliteConnection? _connection;
    private readonly TimeProvider _time;
    private Statement? _begin, _commit, _rollback, _version;
    private QueueTables? _tables;
    private TimeSpan _pause = ShortestPause;
    private long _looked, _seen;
    private ImmutableList<AsyncSignal> _watching = [];

    public QueueDatabase(string path, TimeProvider time)
    {
        _path = path;
        _time = time;
        new Thread(Loop) { IsBackground = true, Name = "queue.db" }.Start();
    }

    /// <summary>Sets the signal whenever another process has written, until disposed. To be called before looking for what one waits for.</summary>
    public IDisposable Watch(AsyncSignal changed) => new Watcher(this, changed);

    /// <exception cref="TransportException">The file is no database of this program, or can't be used.</exception>
    public Task OpenAsync() => RunAsync(writes: false, () =>
    {
        var connection = QueueSchema.Open(_path);
        _begin = new Statement(connection, "BEGIN IMMEDIATE");
        _commit = new Statement(connection, "COMMIT");
        _rollback = new Statement(connection, "ROLLBACK");
        // Changes when another connection has written.
        _version = new Statement(connection, "PRAGMA data_version");
        _tables = new QueueTables(connection);
        _connection = connection;
        return true;
    });

    public Task<T> ReadAsync<T>(Func<QueueTables, T> read) => RunAsync(writes: false, () => read(Opened(_tables)));

    /// <param name="write">One transaction: all of it happens, or none. Has no effect outside the database, since it may be repeated.</param>
    public Task<T> WriteAsync<T>(Func<QueueTables, T> write) => RunAsync(writes: true, () => write(Opened(_tables)));

    public async ValueTask DisposeAsync()
    {
        _work.CompleteAdding();
        await _ended.Task;
    }

    private static T Opened<T>(T? table)
        where T : class => table ?? throw new InvalidOperationException("The transport has not been opened.");

    private Task<T> RunAsync<T>(bool writes, Func<T> action)
    {
        Work<T> work = new(writes, action);
        try
        {
            _work.Add(work);
        }
        catch (InvalidOperationException fault)
        {
            throw new TransportException($"The queue '{_path}' has been closed.", fault, isPermanent: true);
        }

        return work.Done;
    }

    private void Loop()
    {
        while (!_work.IsCompleted)
        {
            var any = _work.TryTake(out var work, Volatile.Read(ref _watching).IsEmpty ? Timeout.Infinite : (int)_pause.TotalMilliseconds);
            if (any) Do(work!);
            if (_version is not null && (!any || _time.GetElapsedTime(_looked) >= _pause)) Look();
        }

        _connection?.Dispose();
        _ended.SetResult();
    }

    private void Do(Work first)
    {
        var work = first;
        do
        {
            if (work.Writes) _writes.Add(work);
            else Read(work);
        }
        while (_writes.Count < MaxPerCommit && _work.TryTake(out work));

        if (_writes.Count > 0) Write();
        _writes.Clear();
    }

    private void Look()
    {
        long version;
        try
        {
            version = _version!.Number() ?? 0;
        }
        catch (SqliteException)
        {
            // Who waits looks again by itself after a while, and is told of the fault.
            version = _seen;
        }

        _looked = _time.GetTimestamp();
        _pause = version != _seen ? ShortestPause : _pause * 1.5 < LongestPause ? _pause * 1.5 : LongestPause;
        if (version != _seen) Volatile.Read(ref _watching).ForEach(signal => signal.Set());
        _seen = version;
    }

    private void Read(Work work)
    {
        try
        {
            work.Do();
        }
        catch (Exception fault)
        {
            work.Fail(SqliteFault.Of(fault, _path));
            return;
        }

        work.Succeed();
    }

    /// <summary>All in one transaction; if that fails, each in one of its own, so that only the guilty fail.</summary>
    private void Write()
    {
        if (TryCommit(_writes) is not { } fault) return;
        if (_writes.Count == 1 || SqliteFault.IsOfTheFile(fault)) _writes.ForEach(work => work.Fail(SqliteFault.Of(fault, _path)));
        else _writes.ForEach(work =>
        {
            if (TryCommit([work]) is { } own) work.Fail(SqliteFault.Of(own, _path));
        });
    }

    private Exception? TryCommit(List<Work> writes)
    {
        try
        {
            Opened(_begin).Execute();
            foreach (var work in writes) work.Do();
            _commit!.Execute();
        }
        catch (Exception fault)
        {
            // SQLite has rolled back by itself after some faults.
            if (_connection is not null && SQLitePCL.raw.sqlite3_get_autocommit(_connection.Handle) == 0) _rollback!.Execute();
            return fault;
        }

        writes.ForEach(work => work.Succeed());
        return null;
    }

    private sealed class Watcher : IDisposable
    {
        private readonly QueueDatabase _database;
        private readonly AsyncSignal _changed;

        public Watcher(QueueDatabase database, AsyncSignal changed)
        {
            (_database, _changed) = (database, changed);
            ImmutableInterlocked.Update(ref database._watching, static (all, one) => all.Add(one), changed);
        }

        public void Dispose() => ImmutableInterlocked.Update(ref _database._watching, static (all, one) => all.Remove(one), _changed);
    }
}
