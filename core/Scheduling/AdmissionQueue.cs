namespace R1Serverless.Scheduling;

/// <summary>Those that wait for a slot, and who of them comes in next: preempted ones, then groups of short prompts and chunks of a long one in
/// turn.</summary>
public sealed class AdmissionQueue(RunningSlots slots, SlotCapacity capacity, MemoryPressure pressure)
{
    private readonly WaitingQueue _short = new();
    private readonly WaitingQueue _long = new();
    private readonly WaitingQueue _preempted = new();
    private bool _shortIsDue = true;

    public int WaitingCount => _short.Count + _long.Count + _preempted.Count;

    public void Enqueue(ScheduledSequence sequence) => (sequence.IsLong ? _long : _short).Append(sequence);

    /// <summary>A sequence that had a slot waits for another.</summary>
    public void PutBack(ScheduledSequence sequence)
    {
        sequence.Status = SequenceStatus.Preempted;
        _preempted.PutBack(sequence);
    }

    /// <summary>Takes a waiting or preempted sequence out of its line.</summary>
    public void Remove(ScheduledSequence sequence) =>
        (sequence.Status == SequenceStatus.Preempted ? _preempted : sequence.IsLong ? _long : _short).Remove(sequence);

    /// <summary>A group of short prompts came in: a chunk of a long one is due.</summary>
    public void OnShort() => _shortIsDue = false;

    /// <summary>A chunk of a long prompt was done: short ones are due.</summary>
    public void OnChunk() => _shortIsDue = true;

    /// <summary>What the next newcomers need: their start, a resize before it, or a refusal. Null: none now.</summary>
    public StepPlan? Plan(int longest)
    {
        if (pressure.IsClosed && slots.Rows > 0) return slots.Count > 0 ? null : Chunk(slots.Prefilling!);
        var chunk = slots.Prefilling is { } prefilling ? Chunk(prefilling) : null;
        if (_preempted.TryPeek(out var saved))
            return (MayStart(saved, saved.CachedLength + 1, longest, out var room) ? new StepPlan.Restore(saved) : room) ?? chunk;

        var shortPlan = !_short.TryPeek(out var first) ? null : MayStart(first, first.PromptLength + 1, longest, out var roomForShort)
            ? Group(longest) : roomForShort;
        if (chunk is not null) return _shortIsDue && shortPlan is not null ? shortPlan : chunk;
        if (!_long.TryPeek(out var next)) return shortPlan;

        var longPlan = MayStart(next, next.PromptLength + 1, longest, out var roomForLong) ? Chunk(next) : roomForLong;
        // Without room for an older long prompt, younger short ones wait too: else it could starve.
        if (longPlan is null && first is not null && next.Number < first.Number) return null;
        return _shortIsDue ? shortPlan ?? longPlan : longPlan ?? shortPlan;
    }

    /// <summary>The short prompts at the head of the line that fit into one ragged run.</summary>
    private StepPlan.Prefill Group(int longest)
    {
        var group = new List<ScheduledSequence>();
        var widest = 0;
        foreach (var sequence in _short.Sequences)
        {
            widest = Math.Max(widest, sequence.PromptLength);
            var rows = slots.Rows + group.Count + 1;
            var fits = widest + 1 <= slots.Shape.Length && rows <= slots.Shape.Slots && rows <= capacity.RowsAt(Math.Max(longest, widest + 1));
            var affordable = group.Count < pressure.GroupLimit && (group.Count + 1) * widest <= PrefillRules.SharedTokens;
            if (group.Count > 0 && !(fits && affordable)) break;
            group.Add(sequence);
        }

        return new StepPlan.Prefill(slots.Count, group);
    }

    private static StepPlan.PrefillChunk Chunk(ScheduledSequence sequence) =>
        new(sequence, sequence.CachedLength, PrefillRules.ChunkLength(sequence.PromptLength, sequence.CachedLength));

    /// <summary>Whether a newcomer of <paramref name="length"/> tokens can start now; if not, what must come before: a resize, its refusal, or null
    /// where a row must leave.</summary>
    private bool MayStart(ScheduledSequence sequence, int length, int longest, out StepPlan? before)
    {
        before = length > capacity.MaxSlotLength ? new StepPlan.Refuse(sequence) : null;
        var (reach, rows) = (Math.Max(longest, length), slots.Rows + 1);
        if (before is not null || rows > capacity.RowsAt(reach)) return false;
        if (length <= slots.Shape.Length && rows <= slots.Shape.Slots) return true;
        var shape = capacity.ShapeFor(reach);
        if (rows <= shape.Slots) before = new StepPlan.Resize(shape, sequence);
        return false;
    }
}
