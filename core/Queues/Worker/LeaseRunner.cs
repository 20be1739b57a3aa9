using System.Diagnostics;
using Microsoft.Extensions.Logging;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Telemetry;
using R1Serverless.Storage;

namespace R1Serverless.Queues.Worker;

/// <summary>Brings one leased request to its end. The result is written before the lease is completed: a crash in between gives a delivery that finds
/// the result and runs nothing. Whatever ends without a result is given back, or falls back to the queue when its lease ends.</summary>
internal sealed partial class LeaseRunner(
    IInference inference, ResultStore results, ReplySender replies, CancellationWatch marks, LeaseTable leases, LeaseRouter router,
    WorkerPrefixes? prefixes, QueueWorkerOptions options, TimeProvider time, ILogger log)
{
    // The engine takes none for the moment: other leases would only use up their deliveries.
    private static readonly TimeSpan PauseWhenRefused = TimeSpan.FromSeconds(1);

    private readonly TransportRetry _retry = new(time, log);

    /// <summary>Never throws; the lease has left the table afterwards.</summary>
    public async Task RunAsync(HeldLease held)
    {
        await Task.Yield(); // the caller goes on to the next lease
        var workClass = WorkClassName.Of(held.Class);
        QueueInstruments.OnLeased(workClass, held.Delivery, held.AgeWhenLeased);
        using var delivery = Activities.BeginDelivery(workClass, held.Id.Value, held.Delivery, held.Message.TraceParent);
        try
        {
            await HandleAsync(held);
        }
        catch (OperationCanceledException) when (held.IsLost)
        {
            // Told below.
        }
        catch (Exception fault)
        {
            // The boundary of one request: the lease runs out, and another delivery tries again.
            LogBroken(fault, held.Id.Value);
            held.Lose();
        }

        if (held.IsLost)
        {
            QueueInstruments.OnLeaseLost(workClass);
            delivery.OnFailed("lease_lost");
            LogLost(held.Id.Value, held.Delivery);
        }

        leases.Remove(held);
        held.Dispose();
    }

    private async Task HandleAsync(HeldLease held)
    {
        if (held.IsLost) return;
        if ((held.HasResult ?? await FindResultAsync(held)) is not { } exists)
        {
            await DeadLetterAsync(held, "The request's id is none that a result can be stored under.");
            return;
        }

        if (exists)
        {
            await CompleteAsync(held, "existing");
            return;
        }

        Run run = new(held, prefixes?.Worker);
        var isCancelled = await marks.IsCancelledAsync(held.Message, held.Lost);
        if (DeliveryRules.Refusal(isCancelled, held.Reason, held.Delivery, options.MaxDeliveries) is { } refusal)
        {
            await EndAsync(run, new InferenceEvent.Failed(refusal));
            return;
        }

        switch (await router.FindStepAsync(held.Message, held.Lost))
        {
            case RouteStep.GiveBack:
                await GiveBackAsync(held);
                return;
            case RouteStep.Forward:
                await _retry.RunAsync("hand a request on", async stop =>
                {
                    await router.ForwardAsync(held.Message, held.AgeWhenLeased + held.SinceLeased, time, stop);
                    return true;
                }, held.Lost);
                await CompleteAsync(held, "handed on");
                return;
        }

        prefixes?.OnLeased(held.Message);
        var last = held.Reason == StopReason.None ? await AttemptAsync(run) : null;
        leases.Ending(held);
        held.Lost.ThrowIfCancellationRequested();
        last ??= held.Reason switch
        {
            StopReason.Cancelled => new InferenceEvent.Failed(DeliveryRules.Cancelled),
            StopReason.Expired => new InferenceEvent.Failed(Deadline.Passed),
            _ => null,
        };
        if (last is null) await AbandonAsync(held, TimeSpan.Zero, "drain");
        else if (last is not InferenceEvent.Failed { Error: var error }) await EndAsync(run, last);
        // The model went between lease and run: others may have it.
        else if (!held.Message.IsForAny && router.IsGone(held.Message, error)) await GiveBackAsync(held);
        else if (run.IsBroken) await EndAsync(run, last);
        else if (DeliveryRules.Final(error, held.Delivery, options) is { } final) await EndAsync(run, new InferenceEvent.Failed(final));
        else await RetryLaterAsync(held, error);
    }

    /// <summary>Null if the id can't be that of a stored result.</summary>
    private async ValueTask<bool?> FindResultAsync(HeldLease held)
    {
        try
        {
            return await _retry.RunAsync("look for a result", stop => results.ExistsAsync(held.Id, stop), held.Lost);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    /// <summary>The last event; null if the run was stopped before.</summary>
    private async Task<InferenceEvent?> AttemptAsync(Run run)
    {
        var held = run.Held;
        var events = 0;
        try
        {
            await foreach (var inferenceEvent in inference.RunAsync(held.Message.Request, held.Stopping))
            {
                // Taken by the engine, and then in a slot: both may make room for more.
                if (++events == 1) leases.Begun(held);
                else if (events == 2) leases.Changes.Set();
                if (inferenceEvent is InferenceEvent.Finished or InferenceEvent.Failed) return inferenceEvent;
                if (held.Reason != StopReason.None) return null;
                run.Fold.Add(inferenceEvent);
                replies.Add(run.Replies, inferenceEvent);
            }

            return held.Reason != StopReason.None ? null
                : new InferenceEvent.Failed(new InferenceError(InferenceErrorKind.Internal, "The answer broke off."));
        }
        catch (OperationCanceledException) when (held.Stopping.IsCancellationRequested)
        {
            return null;
        }
        catch (Exception fault)
        {
            LogFaulted(fault, held.Id.Value);
            run.IsBroken = DeliveryRules.IsOwn(fault);
            return new InferenceEvent.Failed(new InferenceError(InferenceErrorKind.Internal, "The worker failed."));
        }
    }

    private Task GiveBackAsync(HeldLease held) =>
        AbandonAsync(held, Backoff.Redelivery.After(held.Delivery, Random.Shared.NextDouble()), "not served here");

    private async Task RetryLaterAsync(HeldLease held, InferenceError error)
    {
        if (error.Kind is InferenceErrorKind.Unavailable or InferenceErrorKind.QueueFull) leases.Pause(error.RetryAfter ?? PauseWhenRefused);
        var delay = Backoff.Redelivery.After(held.Delivery, Random.Shared.NextDouble());
        if (error.RetryAfter is { } asked && asked > delay) delay = asked;
        LogRetried(held.Id.Value, held.Delivery, error.Kind, delay.TotalSeconds);
        await AbandonAsync(held, delay, error.Kind.ToString());
    }

    private async Task EndAsync(Run run, InferenceEvent last)
    {
        var held = run.Held;
        run.Fold.Add(last);
        var result = run.Fold.Result();
        if (result.Outcome != RequestOutcome.DeadLettered
            && await _retry.RunAsync("write a result and complete a lease", stop => held.CompleteAsync(result, stop), held.Lost) is { } completion)
        {
            if (completion.IsFirst) replies.Add(run.Replies, last);
            if (completion.IsOurs) Completed(held, completion.IsFirst ? result.Outcome.ToString() : "existing");
            else held.Lose();
            return;
        }

        var isFirst = await _retry.RunAsync("write a result", stop => results.TryPutAsync(result, stop), held.Lost);
        if (isFirst) replies.Add(run.Replies, last);
        if (result.Outcome == RequestOutcome.DeadLettered) await DeadLetterAsync(held, result.Error!.Message);
        else await CompleteAsync(held, isFirst ? result.Outcome.ToString() : "existing");
    }

    private async Task CompleteAsync(HeldLease held, string outcome)
    {
        if (await EndLeaseAsync(held, "complete a lease", (lease, stop) => lease.CompleteAsync(stop))) Completed(held, outcome);
    }

    private static void Completed(HeldLease held, string outcome)
    {
        QueueInstruments.OnCompleted(WorkClassName.Of(held.Class), outcome);
        Activity.Current.OnEnded(outcome);
    }

    private async Task AbandonAsync(HeldLease held, TimeSpan delay, string reason)
    {
        if (!await EndLeaseAsync(held, "give a request back", (lease, stop) => lease.AbandonAsync(delay, stop))) return;
        QueueInstruments.OnAbandoned(WorkClassName.Of(held.Class), reason);
        Activity.Current.OnEnded("given back");
    }

    private async Task DeadLetterAsync(HeldLease held, string reason)
    {
        if (!await EndLeaseAsync(held, "dead-letter a request", (lease, stop) => lease.DeadLetterAsync(reason, stop))) return;
        QueueInstruments.OnDeadLettered(WorkClassName.Of(held.Class));
        Activity.Current.OnEnded(nameof(RequestOutcome.DeadLettered));
        LogDeadLettered(held.Id.Value, held.Delivery, reason);
    }

    private async ValueTask<bool> EndLeaseAsync(HeldLease held, string what, Func<Lease, CancellationToken, ValueTask<bool>> ending)
    {
        var ours = await _retry.RunAsync(what, stop => held.EndAsync(ending, stop), held.Lost);
        if (!ours) held.Lose();
        return ours;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} failed in the engine")]
    private partial void LogFaulted(Exception fault, string requestId);

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} could not be brought to its end; it falls back to the queue")]
    private partial void LogBroken(Exception fault, string requestId);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The lease of request {RequestId} was lost in delivery {Delivery}; it may run elsewhere")]
    private partial void LogLost(string requestId, int delivery);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Request {RequestId} failed in delivery {Delivery} ({Kind}); again in {Delay:0.0} s")]
    private partial void LogRetried(string requestId, int delivery, InferenceErrorKind kind, double delay);

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} was dead-lettered in delivery {Delivery}: {Reason}")]
    private partial void LogDeadLettered(string requestId, int delivery, string reason);

    private sealed class Run(HeldLease held, string? worker)
    {
        public HeldLease Held { get; } = held;

        /// <summary>Whether the answer met a fault of ours that it would meet again elsewhere.</summary>
        public bool IsBroken { get; set; }

        public ResultFold Fold { get; } = new(held.Id, held.Message.Request.TopLogprobs is not null);

        public ReplyStream Replies { get; } = new(held, worker);
    }
}
