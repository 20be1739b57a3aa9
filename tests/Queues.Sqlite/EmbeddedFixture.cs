using Microsoft.Data.Sqlite;
using R1Serverless.Queues;
using R1Serverless.Queues.Sqlite;
using R1Serverless.Tests.Queues.Contract;

namespace R1Serverless.Tests.Queues.Sqlite;

internal class EmbeddedFixture : TransportFixture
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("r1-embedded-").FullName;

    public AheadClock Clock { get; } = new();

    public EmbeddedOptions Options => new() { Clock = Clock };

    public override ValueTask PassAsync(TimeSpan time)
    {
        Clock.Advance(time);
        return ValueTask.CompletedTask;
    }

    public override ValueTask PutRawAsync(WorkClass workClass, byte[] body)
    {
        using var connection = OpenDatabase();
        using var put = connection.CreateCommand();
        put.CommandText = """
            INSERT INTO bodies (body) VALUES ($body);
            INSERT INTO requests (id, class, owner, turn, enqueued) VALUES (last_insert_rowid(), $class, '', 1, $now);
            """;
        put.Parameters.AddWithValue("$body", body);
        put.Parameters.AddWithValue("$class", (long)workClass);
        put.Parameters.AddWithValue("$now", Clock.GetUtcNow().ToUnixTimeMilliseconds());
        put.ExecuteNonQuery();
        return ValueTask.CompletedTask;
    }

    /// <summary>As another process sees the file.</summary>
    public SqliteConnection OpenDatabase()
    {
        SqliteConnection connection = new($"Data Source={Path.Combine(Folder, "queue.db")};Pooling=False");
        connection.Open();
        return connection;
    }

    public long Number(string sql)
    {
        using var connection = OpenDatabase();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }

    protected override Transport Create() => new EmbeddedTransport(Folder, TimeProvider.System, Options);

    protected override ValueTask RemoveAsync()
    {
        Directory.Delete(Folder, recursive: true);
        return ValueTask.CompletedTask;
    }
}
