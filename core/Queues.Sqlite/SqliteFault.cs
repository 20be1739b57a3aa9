using Microsoft.Data.Sqlite;
using R1Serverless.Storage;
using static SQLitePCL.raw;

namespace R1Serverless.Queues.Sqlite;

/// <summary>SQLite's faults in the words of a transport.</summary>
internal static class SqliteFault
{
    /// <summary>Whether it would befall any other write too: no lock to be had, a full disk, a broken file.</summary>
    public static bool IsOfTheFile(Exception fault) =>
        fault is SqliteException and not { SqliteErrorCode: SQLITE_CONSTRAINT or SQLITE_TOOBIG or SQLITE_MISMATCH };

    public static Exception Of(Exception fault, string path) => fault is SqliteException sqlite ? Of(sqlite, path) : fault;

    public static TransportException Of(SqliteException fault, string path) => fault.SqliteErrorCode switch
    {
        SQLITE_BUSY or SQLITE_LOCKED => new($"The queue '{path}' is held by another process for too long; try again.", fault),
        SQLITE_FULL => new($"The disk of the queue '{path}' is full.", fault),
        SQLITE_NOTADB => new($"'{path}' is no database: move it away, or name another folder with --data.", fault, isPermanent: true),
        SQLITE_CORRUPT => new($"The queue '{path}' is damaged ({fault.Message}): move it away, or restore it.", fault, isPermanent: true),
        SQLITE_READONLY or SQLITE_CANTOPEN or SQLITE_PERM or SQLITE_AUTH =>
            new($"The queue '{path}' can't be written ({fault.Message}).", fault, isPermanent: true),
        // A statement that the tables don't have the columns for: no retry gives them any.
        SQLITE_ERROR =>
            new($"The tables of the queue '{path}' are not those of this program ({fault.Message}): "
                + "move it away, or name another folder with --data.", fault, isPermanent: true),
        _ => new($"The queue '{path}' failed: {fault.Message}", fault),
    };
}
