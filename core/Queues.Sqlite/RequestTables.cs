using Microsoft.Data.Sqlite;
using R1Serverless.Abstractions;

namespace R1Serverless.Queues.Sqlite;

/// <summary>What can be done with the requests in <c>queue.db</c>, each within the caller's transaction and O(log n). Times are Unix milliseconds.
/// Fair order within a model: a request's turn is one after its owner's latest, but never before the model's own turn, and the lowest turn is leased
/// first. So the first request of an owner who was away comes next, however many another has waiting. A worker of several models takes them by how
/// far their turns are from the models' own. A request that names a worker is that worker's alone at first, and for a while it is the first that the
/// worker leases; whatever it names, what is older or was delivered before goes in turn to whoever comes.</summary>
internal sealed class RequestTables(SqliteConnection connection)
{
    private const int EnqueuesPerPurge = 1000, MaxExpired = 1000;

    /// <summary>So long the worker that it names takes it before older ones.</summary>
    internal const long NamedFirst = 2000;

    // The named one looks for what others write every 25 ms.
    private static readonly long HeadStart = (long)WorkerPrefixes.HeadStart.TotalMilliseconds;

    private const string Open = "(worker IS NULL OR worker = $4 OR enqueued <= $5 OR deliveries > 0)";

    private const string Body =
        "deliveries, enqueued, b.body, CASE WHEN b.result IS NOT NULL THEN EXISTS (SELECT 1 FROM objects o WHERE o.name = b.result) END";

    private readonly Statement _addBody = new(connection, "INSERT INTO bodies (body, result) VALUES ($1, $2) RETURNING id");
    private readonly Statement _add = new(connection,
        "INSERT INTO requests (id, class, model, precision, owner, turn, enqueued, worker) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
    private readonly Statement _addModel = new(connection, "INSERT INTO turns (class, model, turn) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING");
    private readonly Statement _nextTurn = new(connection, """
        INSERT INTO owners (class, model, owner, turn) SELECT class, model, $3, turn + 1 FROM turns WHERE class = $1 AND model = $2
        ON CONFLICT DO UPDATE SET turn = MAX(turn + 1, excluded.turn) RETURNING turn
        """);
    private readonly Statement _forgetModels = new(connection, """
        DELETE FROM turns WHERE NOT EXISTS (SELECT 1 FROM requests r WHERE r.class = turns.class AND r.model = turns.model)
        """);
    private readonly Statement _forgetOwners = new(connection, """
        DELETE FROM owners WHERE turn <= IFNULL((SELECT turn FROM turns t WHERE t.class = owners.class AND t.model = owners.model), turn)
        """);
    private readonly Statement _hasEnded = new(connection, "SELECT EXISTS (SELECT 1 FROM requests WHERE class = $1 AND until <= $2)");
    private readonly Statement _isReady = new(connection, $"""
        SELECT EXISTS (SELECT 1 FROM requests INDEXED BY ready WHERE class = $1 AND model = $2 AND precision = $3 AND until IS NULL AND {Open})
        """);
    private readonly Statement _release = new(connection, """
        UPDATE requests SET until = NULL, token = NULL WHERE id IN (SELECT id FROM requests WHERE class = $1 AND until <= $2 ORDER BY until LIMIT $3)
        """);
    private readonly Statement _ready = new(connection, $"""
        SELECT r.id, turn, turn - IFNULL((SELECT turn FROM turns t WHERE t.class = $1 AND t.model = $2), 0), {Body}
        FROM requests r INDEXED BY ready CROSS JOIN bodies b ON b.id = r.id
        WHERE class = $1 AND model = $2 AND precision = $3 AND until IS NULL AND {Open} ORDER BY turn, r.id LIMIT $6
        """);
    private readonly Statement _named = new(connection, $"""
        SELECT r.id, turn, turn - IFNULL((SELECT turn FROM turns t WHERE t.class = r.class AND t.model = r.model), 0), {Body}, model, precision
        FROM requests r INDEXED BY named CROSS JOIN bodies b ON b.id = r.id
        WHERE worker = $1 AND class = $2 AND until IS NULL AND enqueued > $3 AND deliveries = 0 ORDER BY turn, r.id LIMIT $4
        """);
    private readonly Statement _lease = new(connection, "UPDATE requests SET token = $2, until = $3, deliveries = deliveries + 1 WHERE id = $1");
    private readonly Statement _advance = new(connection, "UPDATE turns SET turn = $3 WHERE class = $1 AND model = $2 AND turn < $3");
    private readonly Statement _renew = new(connection, "UPDATE requests SET until = $3 WHERE id = $1 AND token = $2");
    private readonly Statement _abandon = new(connection, "UPDATE requests SET token = NULL, until = $3 WHERE id = $1 AND token = $2");
    private readonly Statement _complete = new(connection, "DELETE FROM requests WHERE id = $1 AND token = $2");
    private readonly Statement _removeBody = new(connection, "DELETE FROM bodies WHERE id = $1");
    private readonly Statement _addDead = new(connection, """
        INSERT INTO dead (id, class, owner, enqueued, deliveries, reason)
        SELECT id, class, owner, enqueued, deliveries, $3 FROM requests WHERE id = $1 AND token = $2
        """);

    private int _enqueues;

    /// <param name="now">When they are enqueued.</param>
    public void Enqueue(IReadOnlyList<NewRequest> requests, long now)
    {
        foreach (var request in requests)
        {
            var id = _addBody.Number(request.Body, request.Result)!.Value;
            Add(id, request.Class, request.Route, request.Owner, now, request.Worker);
        }

        // An owner whose turn has passed stands where a new one would, and so do all of a model that nothing waits for.
        if (++_enqueues % EnqueuesPerPurge != 0) return;
        _forgetModels.Execute();
        _forgetOwners.Execute();
    }

    /// <summary>Gives a request whose body is there a place after the others of its owner.</summary>
    public void Add(long id, WorkClass workClass, RequestRoute route, string owner, long now, string? worker = null)
    {
        _addModel.Execute((long)workClass, route.Model);
        var turn = _nextTurn.Number((long)workClass, route.Model, owner)!.Value;
        _add.Execute(id, (long)workClass, route.Model, PrecisionOf(route), owner, turn, now, worker);
    }

    /// <summary>Whether a lease would get something: cheap, writes nothing. Whose lease or delay has ended is released by whoever comes
    /// first.</summary>
    /// <param name="worker">Who asks.</param>
    public bool IsReady(string worker, WorkClass workClass, IReadOnlyCollection<RequestRoute> routes, long now) =>
        _hasEnded.Number((long)workClass, now) == 1
        || routes.Any(route => _isReady.Number((long)workClass, route.Model, PrecisionOf(route), worker, now - HeadStart) == 1);

    /// <param name="worker">Who asks.</param>
    /// <param name="token">New for every call.</param>
    public List<LeasedRow> Lease(
        string worker, WorkClass workClass, IReadOnlyCollection<RequestRoute> routes, int most, long token, long now, long until)
    {
        _release.Execute((long)workClass, now, MaxExpired);
        var rows = _named.Rows(
            row => Read(row, new RequestRoute(row.GetString(7), PrecisionName.Find(row.GetString(8)))), worker, (long)workClass, now - NamedFirst,
            most);
        rows.RemoveAll(row => !routes.Contains(row.Route));
        var named = rows.Select(row => row.Id).ToHashSet();
        foreach (var route in routes)
        {
            rows.AddRange(_ready.Rows(
                row => Read(row, route), (long)workClass, route.Model, PrecisionOf(route), worker, now - HeadStart, most));
        }

        if (named.Count > 0) rows = [.. rows.DistinctBy(row => row.Id)];
        rows = [.. rows.OrderBy(row => named.Contains(row.Id) || row.Age > NamedFirst ? 0 : 1).ThenBy(row => row.Distance).ThenBy(row => row.Id)
            .Take(most)];
        foreach (var row in rows) _lease.Execute(row.Id, token, until);
        foreach (var model in rows.GroupBy(row => row.Route.Model, StringComparer.Ordinal))
            _advance.Execute((long)workClass, model.Key, model.Max(row => row.Turn));
        return rows;

        LeasedRow Read(SqliteDataReader row, RequestRoute route) => new(
            row.GetInt64(0), token, route, row.GetInt64(1), row.GetInt64(2), row.GetInt32(3) + 1, now - row.GetInt64(4), row.GetFieldValue<byte[]>(5),
            row.IsDBNull(6) ? null : row.GetInt64(6) == 1);
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

    public bool DeadLetter(long id, long token, string reason) => _addDead.Execute(id, token, reason) == 1 && _complete.Execute(id, token) == 1;

    private static string PrecisionOf(RequestRoute route) => route.Precision is { } precision ? PrecisionName.Of(precision) : "";
}

/// <param name="Result">The name of the object that the request's result will be; null if its id can't be part of one.</param>
internal readonly record struct NewRequest(WorkClass Class, RequestRoute Route, string Owner, byte[] Body, string? Result)
{
    /// <inheritdoc cref="QueuedRequest.Worker"/>
    public string? Worker { get; init; }
}

/// <param name="Distance">Of its turn from the model's own.</param>
/// <param name="Deliveries">This one included.</param>
/// <param name="Age">In milliseconds, since it was enqueued.</param>
internal readonly record struct LeasedRow(
    long Id, long Token, RequestRoute Route, long Turn, long Distance, int Deliveries, long Age, byte[] Body, bool? HasResult);
