using Microsoft.Data.Sqlite;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Sqlite;

/// <summary>The tables of <c>queue.db</c> and how the file is opened.</summary>
internal static class QueueSchema
{
    private const int Version = 4, BeforeWorkers = 3;

    /// <summary>Bodies stand apart, so that a lease rewrites a short row. A request is ready while <c>until</c> is NULL; else it is leased (with a
    /// token) or delayed (without) until then. Model and precision are its route, both empty where any worker may take it. Every model of a class has
    /// a turn, that of its latest request leased, and every owner there the turn of their latest request. A request may name the worker
    /// that gets it first. A body names the object that its request's
    /// result will be. An object's content is in its row, or in a file.</summary>
    private const string Tables = """
        CREATE TABLE bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL, result TEXT);
        CREATE TABLE requests (id INTEGER PRIMARY KEY, class INTEGER NOT NULL, model TEXT NOT NULL DEFAULT '', precision TEXT NOT NULL DEFAULT '',
            owner TEXT NOT NULL, turn INTEGER NOT NULL, enqueued INTEGER NOT NULL, deliveries INTEGER NOT NULL DEFAULT 0, token INTEGER,
            until INTEGER, worker TEXT);
        CREATE INDEX ready ON requests (class, model, precision, turn) WHERE until IS NULL;
        CREATE INDEX named ON requests (worker, class, turn) WHERE until IS NULL AND worker IS NOT NULL;
        CREATE INDEX held ON requests (class, until) WHERE until IS NOT NULL;
        CREATE INDEX requests_by_model ON requests (class, model);
        CREATE TABLE dead (id INTEGER PRIMARY KEY, class INTEGER NOT NULL, owner TEXT NOT NULL, enqueued INTEGER NOT NULL, deliveries INTEGER NOT NULL, reason TEXT NOT NULL);
        CREATE INDEX dead_by_class ON dead (class);
        CREATE TABLE turns (class INTEGER NOT NULL, model TEXT NOT NULL, turn INTEGER NOT NULL, PRIMARY KEY (class, model)) WITHOUT ROWID;
        CREATE TABLE owners (class INTEGER NOT NULL, model TEXT NOT NULL, owner TEXT NOT NULL, turn INTEGER NOT NULL,
            PRIMARY KEY (class, model, owner)) WITHOUT ROWID;
        CREATE TABLE replies (id INTEGER PRIMARY KEY, address TEXT NOT NULL, sent INTEGER NOT NULL, body BLOB NOT NULL);
        CREATE INDEX replies_by_address ON replies (address);
        CREATE TABLE objects (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, written INTEGER NOT NULL, bytes INTEGER NOT NULL, file TEXT, body BLOB);
        CREATE INDEX objects_in_files ON objects (file) WHERE file IS NOT NULL;
        PRAGMA user_version = 4;
        """;

    /// <summary>A process of the version before, which has the file open, goes on with these.</summary>
    private const string AddWorkers = """
        ALTER TABLE requests ADD COLUMN worker TEXT;
        CREATE INDEX named ON requests (worker, class, turn) WHERE until IS NULL AND worker IS NOT NULL;
        PRAGMA user_version = 4;
        """;

    /// <exception cref="TransportException">The file is no database of this program, or can't be used.</exception>
    public static SqliteConnection Open(string path)
    {
        SqliteConnection connection = new(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false, DefaultTimeout = 1 }.ToString());
        try
        {
            connection.Open();
            Prepare(connection, path);
            return connection;
        }
        catch (SqliteException fault)
        {
            connection.Dispose();
            throw SqliteFault.Of(fault, path);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private static void Prepare(SqliteConnection connection, string path)
    {
        // The journal is cut back to 64 MB after a burst, and written to the file every 16 MB.
        Execute(connection, "PRAGMA busy_timeout = 10000; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit "
            + "= 67108864; PRAGMA temp_store = MEMORY");
        var version = new Statement(connection, "PRAGMA user_version").Number() ?? 0;
        if (version == 0)
        {
            if (new Statement(connection, "SELECT COUNT(*) FROM sqlite_master").Number() > 0)
                throw new TransportException($"'{path}' is a database of another program: move it away, or name another folder with --data.",
                    isPermanent: true);
            Execute(connection, "PRAGMA journal_mode = WAL");
            Execute(connection, $"BEGIN IMMEDIATE; {Tables} COMMIT");
        }
        else if (version == BeforeWorkers)
        {
            Execute(connection, $"BEGIN IMMEDIATE; {AddWorkers} COMMIT");
        }
        else if (version != Version)
        {
            throw new TransportException(
                $"The queue '{path}' was written by another version of this program (its tables are version {version}, this build knows {Version}): "
                    + "move it away, or name another folder with --data.",
                isPermanent: true);
        }

        using var check = connection.CreateCommand();
        check.CommandText = "PRAGMA quick_check(1)";
        if (check.ExecuteScalar() is not "ok" and var found)
            throw new TransportException($"The queue '{path}' is damaged ({found}): move it away, or restore it.", isPermanent: true);
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
