using System.Buffers.Binary;
using System.Security.Cryptography;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Threading;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Sqlite;

/// <summary>The request queues in <c>queue.db</c>, fair between the owners of requests. Waiters of this process are woken at once, those of others
/// within 25 ms.</summary>
/// <param name="worker">How this process is called where it leases.</param>
internal sealed class EmbeddedQueue(QueueDatabase database, string worker, TimeProvider time, EmbeddedOptions options) : IRequestQueue
{
    private const int MaxDeadPerRead = 100;

    /// <summary>How often a waiter looks for leases and delays that have ended.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(100);

    private readonly AsyncSignal[] _changed = [new(), new()];

    public TimeSpan LeaseTime => options.LeaseTime;

    private QueueDatabase Database => database;

    private EmbeddedOptions Options => options;

    public async ValueTask EnqueueAsync(IReadOnlyList<QueuedRequest> requests, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (requests.Count == 0) return;
        NewRequest[] rows =
            [.. requests.Select(request => new NewRequest(
                request.Class, request.Route, request.Request.Owner, MessageFormat.Write(request), ResultName(request)) { Worker = request.Worker })];
        await database.WriteAsync(tables =>
        {
            tables.Requests.Enqueue(rows, options.Milliseconds);
            return true;
        });
        foreach (var workClass in requests.Select(request => request.Class).Distinct()) Wake(workClass);
    }

    public async ValueTask<IReadOnlyList<Lease>> LeaseAsync(
        WorkClass workClass, IReadOnlyCollection<RequestRoute> routes, int most, TimeSpan patience, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        RequestRoute[] wanted = [.. routes, RequestRoute.Any];
        var start = time.GetTimestamp();
        var changed = _changed[(int)workClass];
        using var watching = database.Watch(changed);
        for (var isFirst = true; ; isFirst = false)
        {
            var seen = changed.Version;
            if (await LeaseReadyAsync(workClass, wanted, most, looksFirst: !isFirst) is { Count: > 0 } leases) return leases;
            var left = patience - time.GetElapsedTime(start);
            if (left <= TimeSpan.Zero) return [];
            await changed.WaitAsync(seen, left < LongestWait ? left : LongestWait, time, cancellationToken);
        }
    }

    public async ValueTask<QueueStatistics> StatisticsAsync(WorkClass workClass, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return await database.ReadAsync(tables => tables.Operator.Count(workClass, options.Milliseconds));
    }

    public async ValueTask<IReadOnlyList<QueuedMessage>> PeekAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var rows = await database.ReadAsync(tables => tables.Operator.Peek(workClass, most, options.Milliseconds));
        return rows.ConvertAll(row => QueuedMessage.Of(Read(row.Body, out _), row.Deliveries, row.Age));
    }

    public async ValueTask<IReadOnlyList<DeadLetter>> PeekDeadLettersAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var rows = await database.ReadAsync(tables => tables.Operator.Dead(workClass, after: 0, most));
        return rows.ConvertAll(row => new DeadLetter(
            Read(row.Body, out _)?.Request.Id.Value, row.Reason, row.Deliveries, Since(options.Milliseconds - row.Enqueued)));
    }

    public async ValueTask<int> RedriveAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        var count = 0;
        long after = 0;
        while (count < most)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var rows = await database.ReadAsync(tables => tables.Operator.Dead(workClass, after, MaxDeadPerRead));
            if (rows.Count == 0) break;
            after = rows[^1].Id;
            var readable = rows.Select(row => (Row: row, Message: Read(row.Body, out _))).Where(one => one.Message is not null)
                .Take(most - count).ToArray();
            count += await database.WriteAsync(tables => readable.Count(
                one => tables.Operator.Redrive(workClass, one.Message!.Route, one.Row, options.Milliseconds)));
        }

        if (count > 0) Wake(workClass);
        return count;
    }

    private static string? ResultName(QueuedRequest request) =>
        ResultStore.Name(request.Request.Id) is var name && ObjectName.IsValid(name) ? name : null;

    private static TimeSpan Since(long milliseconds) => TimeSpan.FromMilliseconds(Math.Max(0, milliseconds));

    /// <param name="reason">Why it can't be read, where it is null.</param>
    private static QueuedRequest? Read(byte[] body, out string reason)
    {
        try
        {
            reason = "";
            return MessageFormat.ReadRequest(body);
        }
        catch (MalformedMessageException fault)
        {
            reason = fault.Message;
            return null;
        }
    }

    /// <param name="looksFirst">Whether to take the lock for writing only if there is something: for who waits. Who comes for more is served sooner
    /// without.</param>
    private async ValueTask<List<Lease>> LeaseReadyAsync(WorkClass workClass, RequestRoute[] routes, int most, bool looksFirst)
    {
        List<Lease> leases = [];
        while (leases.Count == 0
            && (!looksFirst || await database.ReadAsync(tables => tables.Requests.IsReady(worker, workClass, routes, options.Milliseconds))))
        {
            var token = BinaryPrimitives.ReadInt64LittleEndian(RandomNumberGenerator.GetBytes(sizeof(long)));
            var rows = await database.WriteAsync(
                tables => tables.Requests.Lease(worker, workClass, routes, most, token, options.Milliseconds, After(options.LeaseTime)));
            foreach (var row in rows)
            {
                if (Read(row.Body, out var reason) is { } request) leases.Add(new RowLease(this, row with { Body = [] }, request));
                else await database.WriteAsync(tables => tables.Requests.DeadLetter(row.Id, row.Token, reason));
            }

            if (rows.Count == 0) break;
        }

        return leases;
    }

    private long After(TimeSpan span) => options.Milliseconds + (long)span.TotalMilliseconds;

    private void Wake(WorkClass workClass) => _changed[(int)workClass].Set();

    /// <summary>A row that bears the lease's token: who takes it over writes another.</summary>
    private sealed class RowLease(EmbeddedQueue queue, LeasedRow row, QueuedRequest message) : Lease(message, row.Deliveries, Since(row.Age))
    {
        public override bool? HasResult => row.HasResult;

        public override ValueTask<bool> RenewAsync(CancellationToken cancellationToken) =>
            WriteAsync(requests => requests.Renew(row.Id, row.Token, queue.After(queue.LeaseTime)), cancellationToken);

        public override ValueTask<bool> CompleteAsync(CancellationToken cancellationToken) =>
            WriteAsync(requests => requests.Complete(row.Id, row.Token), cancellationToken);

        public override async ValueTask<Completion?> CompleteAsync(InferenceResult result, CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var content = MessageFormat.Write(result);
            if (content.Length > RowObjectStore.MaxInRow) return null;
            ObjectBody body = new(content.Length, content, null);
            return await queue.Database.WriteAsync<Completion?>(tables => new Completion(
                tables.Objects.TryAdd(ResultStore.Name(result.Id), body, queue.Options.Clock.GetUtcNow().UtcTicks),
                tables.Requests.Complete(row.Id, row.Token)));
        }

        public override async ValueTask<bool> AbandonAsync(TimeSpan delay, CancellationToken cancellationToken)
        {
            var held = await WriteAsync(
                requests => requests.Abandon(row.Id, row.Token, delay > TimeSpan.Zero ? queue.After(delay) : null), cancellationToken);
            if (held) queue.Wake(Message.Class);
            return held;
        }

        public override ValueTask<bool> DeadLetterAsync(string reason, CancellationToken cancellationToken) =>
            WriteAsync(requests => requests.DeadLetter(row.Id, row.Token, reason), cancellationToken);

        private async ValueTask<bool> WriteAsync(Func<RequestTables, bool> write, CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return await queue.Database.WriteAsync(tables => write(tables.Requests));
        }
    }
}
