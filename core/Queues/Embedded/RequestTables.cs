using Microsoft.Data.Sqlite;

namespace R1Serverless.Queues.Embedded;

/// <summary>
/// What can be done with the requests in <c>queue.db</c>, each within the caller's transaction and O(log n). Times are Unix milliseconds.
/// Fair order: a request's turn is one after its owner's latest, but never before the class's own turn, and the lowest turn is leased first. So the first request of
/// an owner who was away comes next, however many another has waiting.
/// </summary>
internal sealed class RequestTables(SqliteConnection connection)
{
    private const int EnqueuesPerPurge = 1000, MostExpired = 1000;

    private readonly Statement _addBody = new(connection, "INSERT INTO bodies (body, result) VALUES ($1, $2) RETURNING id");
    private readonly Statement _add = new(connection, "INSERT INTO requests (id, class, owner, turn, enqueued) VALUES ($1, $2, $3, $4, $5)");
    private readonly Statement _nextTurn = new(connection, """
        INSERT INTO owners (class, owner, turn) SELECT class, $2, turn + 1 FROM turns WHERE class = $1
        ON CONFLICT DO UPDATE SET turn = MAX(turn + 1, excluded.turn) RETURNING turn
        """);
    private readonly Statement _forgetOwners = new(connection, "DELETE FROM owners WHERE turn <= (SELECT turn FROM turns WHERE turns.class = owners.class)");
    private readonly Statement _isReady = new(connection, """
        SELECT EXISTS (SELECT 1 FROM requests WHERE class = $1 AND until IS NULL) OR EXISTS (SELECT 1 FROM requests WHERE class = $1 AND until <= $2)
        """);
    private readonly Statement _release = new(connection, """
        UPDATE requests SET until = NULL, token = NULL WHERE id IN (SELECT id FROM requests WHERE class = $1 AND until <= $2 ORDER BY until LIMIT $3)
        """);
    private readonly Statement _ready = new(connection, """
        SELECT r.id, r.turn, r.deliveries, r.enqueued, b.body, CASE WHEN b.result IS NOT NULL THEN EXISTS (SELECT 1 FROM objects o WHERE o.name = b.result) END FROM requests r INDEXED BY ready CROSS JOIN bodies b ON b.id = r.id
        WHERE r.class = $1 AND r.until IS NULL ORDER BY r.turn, r.id LIMIT $2
        """);
    private readonly Statement _lease = new(connection, "UPDATE requests SET token = $2, until = $3, deliveries = deliveries + 1 WHERE id = $1");
    private readonly Statement _advance = new(connection, "UPDATE turns SET turn = $2 WHERE class = $1 AND turn < $2");
    private readonly Statement _renew = new(connection, "UPDATE requests SET until = $3 WHERE id = $1 AND token = $2");
    private readonly Statement _abandon = new(connection, "UPDATE requests SET token = NULL, until = $3 WHERE id = $1 AND token = $2");
    private readonly Statement _complete = new(connection, "DELETE FROM requests WHERE id = $1 AND token = $2");
    private readonly Statement _removeBody = new(connection, "DELETE FROM bodies WHERE id = $1");
    private readonly Statement _bury = new(connection, """
        INSERT INTO dead (id, class, owner, enqueued, deliveries, reason) SELECT id, class, owner, enqueued, deliveries, $3 FROM requests WHERE id = $1 AND token = $2
        """);

    private int _enqueues;

    /// <param name="now">When they are enqueued.</param>
    public void Enqueue(IReadOnlyList<NewRequest> requests, long now)
    {
        foreach (NewRequest request in requests)
        {
            long id = _addBody.Number(request.Body, request.Result)!.Value;
            Add(id, request.Class, request.Owner, now);
        }

        // An owner whose turn has passed stands where a new one would.
        if (++_enqueues % EnqueuesPerPurge == 0) _forgetOwners.Execute();
    }

    /// <summary>Gives a request whose body is there a place at the end of its owner's line.</summary>
    public void Add(long id, WorkClass workClass, string owner, long now)
    {
        long turn = _nextTurn.Number((long)workClass, owner)!.Value;
        _add.Execute(id, (long)workClass, owner, turn, now);
    }

    /// <summary>Whether a lease would get something: cheap, writes nothing.</summary>
    public bool IsReady(WorkClass workClass, long now) => _isReady.Number((long)workClass, now) == 1;

    /// <param name="token">New for every call.</param>
    public List<LeasedRow> Lease(WorkClass workClass, int most, long token, long now, long until)
    {
        _release.Execute((long)workClass, now, MostExpired);
        List<LeasedRow> rows = _ready.Rows(
            row => new LeasedRow(row.GetInt64(0), token, row.GetInt64(1), row.GetInt32(2) + 1, now - row.GetInt64(3), row.GetFieldValue<byte[]>(4), row.IsDBNull(5) ? null : row.GetInt64(5) == 1),
            (long)workClass, most);
        foreach (LeasedRow row in rows) _lease.Execute(row.Id, token, until);
        if (rows.Count > 0) _advance.Execute((long)workClass, rows[^1].Turn);
        return rows;
    }

    public bool Renew(long id, long token, long until) => _renew.Execute(id, token, until) == 1;

    /// <param name="until">Null gives it back at once.</param>
    public bool Abandon(long id, long token, long? until) => _abandon.Execute(id, token, until) == 1;

    public bool Complete(long id, long token)
    {
        if (_complete.Execute(id, token) == 0) return false;
        _removeBody.Execute(id);
        return true;
    }

    public bool Bury(long id, long token, string reason) => _bury.Execute(id, token, reason) == 1 && _complete.Execute(id, token) == 1;
}

/// <param name="Result">The name of the object that the request's result will be; null if its id can't be part of one.</param>
internal readonly record struct NewRequest(WorkClass Class, string Owner, byte[] Body, string? Result);

/// <param name="Deliveries">This one included.</param>
/// <param name="Age">In milliseconds, since it was enqueued.</param>
internal readonly record struct LeasedRow(long Id, long Token, long Turn, int Deliveries, long Age, byte[] Body, bool? HasResult);
