using R1Serverless.Requests;
using R1Serverless.Telemetry;

namespace R1Serverless.Queues;

/// <summary>From the shelves into the queue. One task alone does this.</summary>
public sealed partial class AsyncTurns
{
    private async ValueTask<bool> MoveAsync(string owner, OwnerTurn turn, CancellationToken cancellationToken)
    {
        await BeatAsync(cancellationToken);
        await LookForEndsAsync(turn, cancellationToken);
        bool moved = false;
        foreach (Shelf shelf in Shelves(owner, turn))
        {
            int room, parked;
            lock (_gate) (room, parked) = (turn.Room, turn.Parked);
            if (room == 0) break;
            IReadOnlyList<ObjectEntry> entries = await _parked.ListAsync(shelf, room, cancellationToken);
            foreach (ObjectEntry[] some in entries.Chunk(Together)) await MoveAsync(turn, shelf, some, cancellationToken);
            moved |= entries.Count > 0;
            if (entries.Count == room) continue;
            if (shelf.Keeper != _me)
            {
                await CloseAsync(turn, shelf, cancellationToken);
            }
            else
            {
                // All there was: of those written before, the others were moved on by somebody who took us for dead, or were never written.
                lock (_gate) turn.Unpark(Math.Max(0, parked - entries.Count));
            }
        }

        return moved;
    }

    private async ValueTask MoveAsync(OwnerTurn turn, Shelf shelf, ObjectEntry[] entries, CancellationToken cancellationToken)
    {
        await BeatAsync(cancellationToken);
        List<QueuedRequest> messages = [];
        foreach (ObjectEntry entry in entries)
        {
            try
            {
                if (await _parked.ReadAsync(entry, cancellationToken) is { } message) messages.Add(message);
            }
            catch (MalformedMessageException fault)
            {
                await RefuseAsync(ParkedRequests.IdOf(entry), fault, cancellationToken);
            }
        }

        // Into the queue first: where a process ends in between it is there twice, never lost.
        if (messages.Count > 0) await _transport.Queue.EnqueueAsync(messages, cancellationToken);
        QueueInstruments.OnEnqueued(WorkClassName.Of(WorkClass.Bulk), messages.Count);
        lock (_gate) messages.ForEach(message => turn.Queue(message.Request.Id));
        foreach (ObjectEntry entry in entries)
        {
            await _parked.RemoveAsync(entry, cancellationToken);
            if (shelf.Keeper != _me) continue;
            lock (_gate) turn.Unpark(1);
        }
    }

    private async ValueTask RefuseAsync(RequestId id, MalformedMessageException fault, CancellationToken cancellationToken)
    {
        LogMalformed(id.Value, fault.Message);
        InferenceError error = new(InferenceErrorKind.Undeliverable, fault.Message);
        await _results.TryPutAsync(new InferenceResult { Id = id, Outcome = RequestOutcome.DeadLettered, Error = error }, cancellationToken);
    }

    private List<Shelf> Shelves(string owner, OwnerTurn turn)
    {
        lock (_gate) return turn.HasOwn ? [.. turn.Adopted, new Shelf(_me, owner)] : [.. turn.Adopted];
    }

    private async ValueTask LookForEndsAsync(OwnerTurn turn, CancellationToken cancellationToken)
    {
        IReadOnlyList<QueuedTurn> oldest;
        lock (_gate) oldest = turn.Oldest(Together);
        bool[] ended = await Task.WhenAll(oldest.Select(one => _results.ExistsAsync(one.Id, cancellationToken).AsTask()));
        lock (_gate) turn.Look(ended);
    }

    /// <summary>Whenever it is time: also amid much that is to be moved, since others take the silent for dead.</summary>
    private async ValueTask BeatAsync(CancellationToken cancellationToken)
    {
        if (_beaten is { } last && _time.GetElapsedTime(last) < Beat) return;
        _beaten = _time.GetTimestamp();
        await UpkeepAsync(cancellationToken);
    }

    /// <summary>Shows that this process lives while it keeps anything, and takes over what others have left.</summary>
    private async ValueTask UpkeepAsync(CancellationToken cancellationToken)
    {
        string[] marked;
        lock (_gate) marked = [.. _marked];
        if (marked.Contains(_me)) await MarkSelfAsync(cancellationToken);
        foreach (string keeper in marked.Where(keeper => keeper != _me))
        {
            if (await _parked.HoldAsync(keeper, cancellationToken)) continue;
            // It lives after all, or another took it over while this process was silent.
            lock (_gate)
            {
                _marked.Remove(keeper);
                foreach (OwnerTurn turn in _turns.Values) turn.Adopted.RemoveAll(shelf => shelf.Keeper == keeper);
            }
        }

        await foreach (Shelf shelf in _parked.AdoptAsync(Silence, cancellationToken))
        {
            lock (_gate)
            {
                _marked.Add(shelf.Keeper);
                OwnerTurn turn = Turn(shelf.OwnerFolder);
                if (!turn.Adopted.Contains(shelf)) turn.Adopted.Add(shelf);
            }
        }
    }

    private async ValueTask MarkSelfAsync(CancellationToken cancellationToken)
    {
        await _marking.WaitAsync(cancellationToken);
        try
        {
            bool keeps;
            // Whoever comes now counts before it waits for the mark.
            lock (_gate) keeps = _turns.Values.Any(turn => turn.HasOwn) || !_marked.Remove(_me);
            if (keeps) await SignAsync(cancellationToken);
            else await _parked.UnmarkAsync(cancellationToken);
        }
        finally
        {
            _marking.Release();
        }
    }

    /// <summary>A shelf of another process is empty, and stays so. The mark goes with its last one.</summary>
    private async ValueTask CloseAsync(OwnerTurn turn, Shelf shelf, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            turn.Adopted.Remove(shelf);
            if (_turns.Values.Any(one => one.Adopted.Any(other => other.Keeper == shelf.Keeper))) return;
            _marked.Remove(shelf.Keeper);
        }

        await _parked.ReleaseAsync(shelf.Keeper, cancellationToken);
    }
}
