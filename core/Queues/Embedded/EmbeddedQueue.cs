using System.Buffers.Binary;
using System.Security.Cryptography;
using R1Serverless.Requests;

namespace R1Serverless.Queues.Embedded;

/// <summary>The request queues in <c>queue.db</c>, fair between the owners of requests. Waiters of this process are woken at once, those of others within 25 ms.</summary>
internal sealed class EmbeddedQueue(QueueDatabase database, TimeProvider time, EmbeddedOptions options) : IRequestQueue
{
    private const int MostDeadPerRead = 100;

    /// <summary>How often a waiter looks for leases and delays that have ended.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(100);

    private readonly Wakeup[] _wakeups = [new(), new()];

    public TimeSpan LeaseTime => options.LeaseTime;

    public bool TakesTurns => true;

    public async ValueTask EnqueueAsync(IReadOnlyList<QueuedRequest> requests, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (requests.Count == 0) return;
        NewRequest[] rows = [.. requests.Select(request => new NewRequest(request.Class, request.Request.Owner, MessageFormat.Write(request), ResultName(request)))];
        await database.WriteAsync(tables =>
        {
            tables.Requests.Enqueue(rows, options.Milliseconds);
            return true;
        });
        foreach (WorkClass workClass in requests.Select(request => request.Class).Distinct()) Wake(workClass);
    }

    public async ValueTask<IReadOnlyList<Lease>> LeaseAsync(WorkClass workClass, int most, TimeSpan patience, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 1);
        long start = time.GetTimestamp();
        using IDisposable watching = database.Watch();
        for (bool isFirst = true; ; isFirst = false)
        {
            Task woken = _wakeups[(int)workClass].Next, changed = database.Changed.Next;
            if (await LeaseReadyAsync(workClass, most, looksFirst: !isFirst) is { Count: > 0 } leases) return leases;
            TimeSpan left = patience - time.GetElapsedTime(start);
            if (left <= TimeSpan.Zero) return [];
            await Task.WhenAny(woken, changed, Task.Delay(left < LongestWait ? left : LongestWait, time, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
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
        List<PeekedRow> rows = await database.ReadAsync(tables => tables.Operator.Peek(workClass, most, options.Milliseconds));
        return rows.ConvertAll(row =>
        {
            TryRead(row.Body, out QueuedRequest? request);
            return new QueuedMessage(request?.Request.Id.Value, request?.Request.Model, request?.Batch, row.Deliveries, row.Age);
        });
    }

    public async ValueTask<IReadOnlyList<DeadLetter>> PeekDeadLettersAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        List<DeadRow> rows = await database.ReadAsync(tables => tables.Operator.Dead(workClass, after: 0, most));
        return rows.ConvertAll(row =>
        {
            TryRead(row.Body, out QueuedRequest? request);
            return new DeadLetter(request?.Request.Id.Value, row.Reason, row.Deliveries, Since(options.Milliseconds - row.Enqueued));
        });
    }

    public async ValueTask<int> RedriveAsync(WorkClass workClass, int most, CancellationToken cancellationToken)
    {
        int count = 0;
        long after = 0;
        while (count < most)
        {
            cancellationToken.ThrowIfCancellationRequested();
            List<DeadRow> rows = await database.ReadAsync(tables => tables.Operator.Dead(workClass, after, MostDeadPerRead));
            if (rows.Count == 0) break;
            after = rows[^1].Id;
            List<DeadRow> readable = [.. rows.Where(row => TryRead(row.Body, out _) is null).Take(most - count)];
            count += await database.WriteAsync(tables => readable.Count(row => tables.Operator.Redrive(workClass, row, options.Milliseconds)));
        }

        if (count > 0) Wake(workClass);
        return count;
    }

    public Task<bool> RenewAsync(LeasedRow lease) => database.WriteAsync(tables => tables.Requests.Renew(lease.Id, lease.Token, After(options.LeaseTime)));

    public Task<bool> CompleteAsync(LeasedRow lease) => database.WriteAsync(tables => tables.Requests.Complete(lease.Id, lease.Token));

    public async ValueTask<bool> AbandonAsync(LeasedRow lease, WorkClass workClass, TimeSpan delay)
    {
        bool held = await database.WriteAsync(tables => tables.Requests.Abandon(lease.Id, lease.Token, delay > TimeSpan.Zero ? After(delay) : null));
        if (held) Wake(workClass);
        return held;
    }

    public Task<bool> DeadLetterAsync(LeasedRow lease, string reason) => database.WriteAsync(tables => tables.Requests.Bury(lease.Id, lease.Token, reason));

    /// <summary>Null if the content is too large for a row.</summary>
    public async ValueTask<Completion?> CompleteAsync(LeasedRow lease, InferenceResult result)
    {
        string name = ResultStore.Name(result.Id);
        byte[] content = MessageFormat.Write(result);
        if (content.Length > RowObjectStore.MostInRow) return null;
        ObjectBody body = new(content.Length, content, null);
        return await database.WriteAsync<Completion?>(tables =>
            new Completion(tables.Objects.TryAdd(name, body, options.Clock.GetUtcNow().UtcTicks), tables.Requests.Complete(lease.Id, lease.Token)));
    }

    private static string? ResultName(QueuedRequest request) => ResultStore.Name(request.Request.Id) is var name && ObjectName.IsValid(name) ? name : null;

    private static TimeSpan Since(long milliseconds) => TimeSpan.FromMilliseconds(Math.Max(0, milliseconds));

    /// <summary>Null, or why it can't be read.</summary>
    private static string? TryRead(byte[] body, out QueuedRequest? request)
    {
        try
        {
            request = MessageFormat.ReadRequest(body);
            return null;
        }
        catch (MalformedMessageException fault)
        {
            request = null;
            return fault.Message;
        }
    }

    /// <param name="looksFirst">Whether to take the lock for writing only if there is something: for who waits. Who comes for more is served sooner without.</param>
    private async ValueTask<List<Lease>> LeaseReadyAsync(WorkClass workClass, int most, bool looksFirst)
    {
        List<Lease> leases = [];
        while (leases.Count == 0 && (!looksFirst || await database.ReadAsync(tables => tables.Requests.IsReady(workClass, options.Milliseconds))))
        {
            long token = BinaryPrimitives.ReadInt64LittleEndian(RandomNumberGenerator.GetBytes(sizeof(long)));
            List<LeasedRow> rows = await database.WriteAsync(tables => tables.Requests.Lease(workClass, most, token, options.Milliseconds, After(options.LeaseTime)));
            foreach (LeasedRow row in rows)
            {
                if (TryRead(row.Body, out QueuedRequest? request) is { } reason) await DeadLetterAsync(row, reason);
                else leases.Add(new EmbeddedLease(this, row, workClass, request!, Since(row.Age)));
            }

            if (rows.Count == 0) break;
        }

        return leases;
    }

    private long After(TimeSpan span) => options.Milliseconds + (long)span.TotalMilliseconds;

    private void Wake(WorkClass workClass) => _wakeups[(int)workClass].Signal();
}
