using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;

namespace R1Serverless.Queues.Embedded;

/// <summary>The one connection of this process to <c>queue.db</c>, owned by a thread. What arrives together is committed together.</summary>
internal sealed class QueueDatabase : IAsyncDisposable
{
    private const int MostPerCommit = 256;

    private readonly string _path;
    private readonly BlockingCollection<Work> _work = [];
    private readonly List<Work> _writes = [];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private SqliteConnection? _connection;
    private Statement? _begin, _commit, _rollback;
    private QueueTables? _tables;

    public QueueDatabase(string path)
    {
        _path = path;
        new Thread(Loop) { IsBackground = true, Name = "queue.db" }.Start();
    }

    /// <exception cref="TransportException">The file is no database of this program, or can't be used.</exception>
    public Task OpenAsync() => RunAsync(writes: false, () =>
    {
        SqliteConnection connection = QueueSchema.Open(_path);
        _begin = new Statement(connection, "BEGIN IMMEDIATE");
        _commit = new Statement(connection, "COMMIT");
        _rollback = new Statement(connection, "ROLLBACK");
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
        foreach (Work first in _work.GetConsumingEnumerable())
        {
            Work? work = first;
            do
            {
                if (work.Writes) _writes.Add(work);
                else Read(work);
            }
            while (_writes.Count < MostPerCommit && _work.TryTake(out work));

            if (_writes.Count > 0) Write();
            _writes.Clear();
        }

        _connection?.Dispose();
        _ended.SetResult();
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
            foreach (Work work in writes) work.Do();
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
}
