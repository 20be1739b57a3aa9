using Microsoft.Data.Sqlite;

namespace R1Serverless.Queues.Sqlite;

/// <summary>What an operator asks of the requests in <c>queue.db</c>: counts, a look at what waits, and the dead letters.</summary>
internal sealed class OperatorTables(SqliteConnection connection, RequestTables requests)
{
    private readonly Statement _models = new(connection,
        "SELECT model, COUNT(*) FROM requests INDEXED BY requests_by_model WHERE class = $1 GROUP BY model");
    private readonly Statement _leased = new(connection, """
        SELECT model, COUNT(*) FROM requests INDEXED BY held WHERE class = $1 AND until > $2 AND token IS NOT NULL GROUP BY model
        """);
    private readonly Statement _oldest = new(connection, """
        SELECT $3 - enqueued FROM requests INDEXED BY requests_by_model WHERE class = $1 AND model = $2 AND (token IS NULL OR until <= $3)
        ORDER BY id LIMIT 1
        """);
    private readonly Statement _deadCount = new(connection, "SELECT COUNT(*) FROM dead WHERE class = $1");
    private readonly Statement _peek = new(connection, """
        SELECT r.deliveries, $2 - r.enqueued, b.body FROM requests r NOT INDEXED CROSS JOIN bodies b ON b.id = r.id
        WHERE r.class = $1 AND (r.token IS NULL OR r.until <= $2) ORDER BY r.id LIMIT $3
        """);
    private readonly Statement _dead = new(connection, """
        SELECT d.id, d.owner, d.deliveries, d.enqueued, d.reason, b.body FROM dead d INDEXED BY dead_by_class CROSS JOIN bodies b ON b.id = d.id
        WHERE d.class = $1 AND d.id > $2 ORDER BY d.id LIMIT $3
        """);
    private readonly Statement _removeDead = new(connection, "DELETE FROM dead WHERE id = $1");
    private readonly Statement _renumber = new(connection, "UPDATE bodies SET id = (SELECT MAX(id) + 1 FROM bodies) WHERE id = $1 RETURNING id");

    public QueueStatistics Count(WorkClass workClass, long now)
    {
        var leased = _leased.Rows(row => (Model: row.GetString(0), Count: row.GetInt64(1)), (long)workClass, now)
            .ToDictionary(row => row.Model, row => row.Count, StringComparer.Ordinal);
        var all = _models.Rows(row => (Model: row.GetString(0), Count: row.GetInt64(1)), (long)workClass);
        // Other processes write between two statements.
        var models = all.ConvertAll(row => new ModelStatistics(
            row.Model, Math.Max(0, row.Count - leased.GetValueOrDefault(row.Model)), leased.GetValueOrDefault(row.Model),
            _oldest.Number((long)workClass, row.Model, now) is { } age ? Since(age) : null));
        return QueueStatistics.Of(models, _deadCount.Number((long)workClass) ?? 0);
    }

    public List<PeekedRow> Peek(WorkClass workClass, int most, long now) =>
        _peek.Rows(row => new PeekedRow(row.GetInt32(0), Since(row.GetInt64(1)), row.GetFieldValue<byte[]>(2)), (long)workClass, now, most);

    /// <param name="after">The id of the last that was seen; 0 for none.</param>
    public List<DeadRow> Dead(WorkClass workClass, long after, int most) => _dead.Rows(
        row => new DeadRow(row.GetInt64(0), row.GetString(1), row.GetInt32(2), row.GetInt64(3), row.GetString(4), row.GetFieldValue<byte[]>(5)),
        (long)workClass, after, most);

    /// <summary>Puts a dead letter to the end of the queue, as if it were new.</summary>
    public bool Redrive(WorkClass workClass, RequestRoute route, DeadRow dead, long now)
    {
        if (_removeDead.Execute(dead.Id) == 0) return false;
        requests.Add(_renumber.Number(dead.Id)!.Value, workClass, route, dead.Owner, now);
        return true;
    }

    private static TimeSpan Since(long milliseconds) => TimeSpan.FromMilliseconds(Math.Max(0, milliseconds));
}

internal readonly record struct PeekedRow(int Deliveries, TimeSpan Age, byte[] Body);

internal sealed record DeadRow(long Id, string Owner, int Deliveries, long Enqueued, string Reason, byte[] Body);
