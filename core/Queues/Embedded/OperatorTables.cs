using Microsoft.Data.Sqlite;

namespace R1Serverless.Queues.Embedded;

/// <summary>What an operator asks of the requests in <c>queue.db</c>: counts, a look at what waits, and the dead letters.</summary>
internal sealed class OperatorTables(SqliteConnection connection, RequestTables requests)
{
    // One statement sees one state of the database.
    private readonly Statement _count = new(connection, """
        SELECT (SELECT COUNT(*) FROM requests WHERE class = $1), (SELECT COUNT(*) FROM requests WHERE class = $1 AND until > $2 AND token IS NOT NULL),
            (SELECT COUNT(*) FROM dead WHERE class = $1),
            (SELECT $2 - enqueued FROM requests INDEXED BY requests_by_class WHERE class = $1 AND (token IS NULL OR until <= $2) ORDER BY id LIMIT 1)
        """);
    private readonly Statement _peek = new(connection, """
        SELECT r.deliveries, $2 - r.enqueued, b.body FROM requests r INDEXED BY requests_by_class CROSS JOIN bodies b ON b.id = r.id
        WHERE r.class = $1 AND (r.token IS NULL OR r.until <= $2) ORDER BY r.id LIMIT $3
        """);
    private readonly Statement _dead = new(connection, """
        SELECT d.id, d.owner, d.deliveries, d.enqueued, d.reason, b.body FROM dead d INDEXED BY dead_by_class CROSS JOIN bodies b ON b.id = d.id
        WHERE d.class = $1 AND d.id > $2 ORDER BY d.id LIMIT $3
        """);
    private readonly Statement _unbury = new(connection, "DELETE FROM dead WHERE id = $1");
    private readonly Statement _renumber = new(connection, "UPDATE bodies SET id = (SELECT MAX(id) + 1 FROM bodies) WHERE id = $1 RETURNING id");

    public QueueStatistics Count(WorkClass workClass, long now) => _count.Rows(
        row => new QueueStatistics(row.GetInt64(0) - row.GetInt64(1), row.GetInt64(1), row.GetInt64(2), row.IsDBNull(3) ? null : Since(row.GetInt64(3))), (long)workClass, now)[0];

    public List<PeekedRow> Peek(WorkClass workClass, int most, long now) =>
        _peek.Rows(row => new PeekedRow(row.GetInt32(0), Since(row.GetInt64(1)), row.GetFieldValue<byte[]>(2)), (long)workClass, now, most);

    /// <param name="after">The id of the last that was seen; 0 for none.</param>
    public List<DeadRow> Dead(WorkClass workClass, long after, int most) => _dead.Rows(
        row => new DeadRow(row.GetInt64(0), row.GetString(1), row.GetInt32(2), row.GetInt64(3), row.GetString(4), row.GetFieldValue<byte[]>(5)), (long)workClass, after, most);

    /// <summary>Puts a dead letter to the end of the queue, as if it were new.</summary>
    public bool Redrive(WorkClass workClass, DeadRow dead, long now)
    {
        if (_unbury.Execute(dead.Id) == 0) return false;
        requests.Add(_renumber.Number(dead.Id)!.Value, workClass, dead.Owner, now);
        return true;
    }

    private static TimeSpan Since(long milliseconds) => TimeSpan.FromMilliseconds(Math.Max(0, milliseconds));
}

internal readonly record struct PeekedRow(int Deliveries, TimeSpan Age, byte[] Body);

internal sealed record DeadRow(long Id, string Owner, int Deliveries, long Enqueued, string Reason, byte[] Body);
