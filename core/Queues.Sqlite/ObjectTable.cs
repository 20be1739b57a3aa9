using Microsoft.Data.Sqlite;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Sqlite;

/// <summary>Objects in <c>queue.db</c>, each within the caller's transaction. The time of writing, in ticks, is an object's tag: who replaces one
/// sets a later time.</summary>
internal sealed class ObjectTable(SqliteConnection connection)
{
    private readonly Statement _add =
        new(connection, "INSERT INTO objects (name, written, bytes, body, file) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING");
    private readonly Statement _replace = new(connection, "UPDATE objects SET written = $2, bytes = $3, body = $4, file = $5 WHERE name = $1");
    private readonly Statement _version = new(connection, "SELECT written, file FROM objects WHERE name = $1");
    private readonly Statement _find = new(connection, "SELECT written, body, file FROM objects WHERE name = $1");
    private readonly Statement _exists = new(connection, "SELECT EXISTS (SELECT 1 FROM objects WHERE name = $1)");
    private readonly Statement _delete = new(connection, "DELETE FROM objects WHERE name = $1");
    private readonly Statement _list =
        new(connection, "SELECT name, bytes, written FROM objects WHERE name > $1 AND name < $2 ORDER BY name LIMIT $3");
    private readonly Statement _files = new(connection, "SELECT file FROM objects WHERE file IS NOT NULL");

    /// <summary>Null if the condition does not hold.</summary>
    /// <param name="now">In ticks.</param>
    public ObjectWrite? Put(string name, ObjectBody body, PutCondition condition, long now)
    {
        if (condition.IfTag is null && TryAdd(name, body, now)) return new ObjectWrite(now, null);
        if (condition.IfAbsent || Version(name) is not var (old, file)) return null;
        if (condition.IfTag is { } tag && tag != Tag(old)) return null;
        var written = Math.Max(now, old + 1);
        _replace.Execute(name, written, body.Bytes, body.Content, body.File);
        return new ObjectWrite(written, file);
    }

    /// <summary>False if there is one.</summary>
    public bool TryAdd(string name, ObjectBody body, long written) => _add.Execute(name, written, body.Bytes, body.Content, body.File) == 1;

    public ObjectRow? Find(string name) =>
        _find.Rows(row => new ObjectRow(row.GetInt64(0), row.IsDBNull(1) ? null : row.GetFieldValue<byte[]>(1),
            row.IsDBNull(2) ? null : row.GetString(2)), name) is [var found] ? found : null;

    public bool Exists(string name) => _exists.Number(name) == 1;

    /// <summary>What was deleted; null if there was none.</summary>
    public ObjectWrite? Delete(string name)
    {
        if (Version(name) is not var (written, file)) return null;
        _delete.Execute(name);
        return new ObjectWrite(written, file);
    }

    /// <summary>In ordinal order.</summary>
    /// <param name="after">A name or a prefix: what comes behind it.</param>
    /// <param name="before">What comes before it.</param>
    public List<ListedObject> List(string after, string before, int most) =>
        _list.Rows(row => new ListedObject(row.GetString(0), row.GetInt64(1), row.GetInt64(2)), after, before, most);

    /// <summary>All files that hold an object's content.</summary>
    public List<string> Files() => _files.Rows(row => row.GetString(0));

    public static string Tag(long written) => written.ToString("x");

    private (long Written, string? File)? Version(string name) =>
        _version.Rows(row => (row.GetInt64(0), row.IsDBNull(1) ? null : row.GetString(1)), name) is [var found] ? found : null;
}

/// <summary>An object's content, or the name of the file that has it.</summary>
internal readonly record struct ObjectBody(long Bytes, byte[]? Content, string? File);

/// <param name="Written">When, in ticks.</param>
/// <param name="OldFile">The file of the content that was there before, which nobody needs any more.</param>
internal readonly record struct ObjectWrite(long Written, string? OldFile);

internal sealed record ObjectRow(long Written, byte[]? Content, string? File);

internal readonly record struct ListedObject(string Name, long Bytes, long Written);
