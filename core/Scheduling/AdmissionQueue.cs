using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Scheduling;

/// <summary>Those that wait for a slot, and who of them comes in next: preempted ones, then those of one run and chunks of a long prompt in
/// turn.</summary>
public sealed class AdmissionQueue(RunningSlots slots, SlotCapacity capacity, MemoryPressure pressure, SharedPrefixes prefixes)
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

    /// <summary>Prompts of one run came in: a chunk of a long one is due.</summary>
    public void OnShort() => _shortIsDue = false;

    /// <summary>A chunk of a long prompt was done: short ones are due.</summary>
    public void OnChunk() => _shortIsDue = true;

    /// <summary>What the next newcomers need: their start, a resize before it, or a refusal. Null: none now.</summary>
    public StepPlan? Plan(int longest)
    {
        if (pressure.IsClosed && slots.Rows > 0) return slots.Count > 0 ? null : Chunk(slots.Prefilling!);
        var chunk = slots.Prefilling is { } prefilling ? Chunk(prefilling) : null;
        if (_preempted.TryPeek(out var saved))
            return (MayStart(saved, saved.CachedLength + 1, longest, false, out var room) ? new StepPlan.Restore(saved, prefixes.Match(saved)) : room)
                ?? chunk;

        var first = FirstOfOneRun();
        var shortPlan = first is null ? null : MayStart(first, first.PromptLength + 1, longest, false, out var roomForShort) ? OneRun(first, longest)
            : roomForShort;
        if (chunk is not null) return _shortIsDue && shortPlan is not null ? shortPlan : chunk;
        var next = _long.Sequences.FirstOrDefault(sequence => !IsOfOneRun(sequence));
        if (next is null) return shortPlan;

        var longPlan = MayStart(next, next.PromptLength + 1, longest, true, out var roomForLong) ? Chunk(next) : roomForLong;
        // Without room for an older long prompt, younger short ones wait too: else it could starve.
        if (longPlan is null && first is not null && next.Number < first.Number) return null;
        return _shortIsDue ? shortPlan ?? longPlan : longPlan ?? shortPlan;
    }

    /// <summary>The oldest prompt that needs one run only, and does not wait for what the long prompt on its way computes.</summary>
    private ScheduledSequence? FirstOfOneRun()
    {
        var first = _short.Sequences.FirstOrDefault(sequence => !WaitsForPrefill(sequence));
        var rest = _long.Sequences.FirstOrDefault(sequence => IsOfOneRun(sequence) && !WaitsForPrefill(sequence));
        return first is null || rest?.Number < first.Number ? rest : first;
    }

    private bool WaitsForPrefill(ScheduledSequence sequence) =>
        slots.Prefilling is { } prefilling && prefixes.WaitsFor(sequence, prefilling);

    /// <summary>A short prompt, or one whose rest is.</summary>
    private bool IsOfOneRun(ScheduledSequence sequence) => prefixes.Match(sequence) is var shared
        && shared + PrefillRules.ChunkLength(sequence.PromptLength, shared) == sequence.PromptLength;

    private StepPlan OneRun(ScheduledSequence first, int longest) =>
        prefixes.Match(first) > 0 || first.IsLong ? Chunk(first) : Group(first, longest);

    /// <summary>The short prompts from one on that fit into one ragged run, and of those that begin alike the first.</summary>
    private StepPlan.Prefill Group(ScheduledSequence first, int longest)
    {
        var group = new List<ScheduledSequence>();
        var widest = 0;
        foreach (var sequence in _short.Sequences.SkipWhile(sequence => sequence != first))
        {
            if (prefixes.Match(sequence) > 0 || WaitsForPrefill(sequence) || group.Exists(other => prefixes.WaitsFor(sequence, other))) continue;
            widest = Math.Max(widest, sequence.PromptLength);
            var rows = slots.Rows + group.Count + 1;
            var fits = widest + 1 <= slots.Shape.Length && rows <= slots.Shape.Slots && rows <= capacity.RowsAt(Math.Max(longest, widest + 1));
            var affordable = group.Count < pressure.GroupLimit && (group.Count + 1) * widest <= PrefillRules.SharedTokens;
            var isRoom = prefixes.HasRoom(slots.Growth(group.Count + 1, widest + 1, shared: 0, isTop: false), Headroom(group.Count + 1), out _);
            if (group.Count > 0 && !(fits && affordable && isRoom)) break;
            group.Add(sequence);
        }

        return new StepPlan.Prefill(slots.Count, group);
    }

    private StepPlan.PrefillChunk Chunk(ScheduledSequence sequence)
    {
        var isNew = sequence.Slot < 0;
        var start = isNew ? prefixes.Match(sequence) : sequence.CachedLength;
        var count = PrefillRules.ChunkLength(sequence.PromptLength, start);
        var slot = isNew && start + count == sequence.PromptLength ? slots.Count : slots.TopSlot;
        return new StepPlan.PrefillChunk(sequence, start, count, slot, isNew ? start : 0);
    }

    /// <summary>Whether a newcomer of <paramref name="length"/> tokens can start now; if not, what must come before: fewer prefixes, a resize, its
    /// refusal, or null where a row must leave.</summary>
    private bool MayStart(ScheduledSequence sequence, int length, int longest, bool isTop, out StepPlan? before)
    {
        before = length > capacity.MaxSlotLength ? new StepPlan.Refuse(sequence) : null;
        var (reach, rows) = (Math.Max(longest, length), slots.Rows + 1);
        if (before is not null || rows > capacity.RowsAt(reach)) return false;
        if (length <= slots.Shape.Length && rows <= slots.Shape.Slots)
        {
            return prefixes.HasRoom(slots.Growth(1, length, prefixes.Attachable(sequence), isTop), Headroom(1), out before);
        }

        var shape = capacity.ShapeFor(reach);
        if (rows <= shape.Slots) before = (StepPlan?)prefixes.BeforeResize(rows, shape.Length) ?? new StepPlan.Resize(shape, sequence);
        return false;
    }

    /// <summary>Where slots take memory as they fill, what must be left when newcomers are in, so that nobody has to leave again soon.</summary>
    private long Headroom(int newcomers) =>
        capacity.TakesMemoryLazily && slots.Rows > 0 ? (long)(slots.Rows + newcomers) * PrefixTree.BlockTokens : 0;
}
