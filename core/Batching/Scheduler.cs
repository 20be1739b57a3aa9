namespace R1Serverless.Batching;

/// <summary>
/// Decides what each turn of the engine does. Pure policy: no I/O, no clock, one caller. Running sequences keep slots [0, n) without a gap;
/// a long prompt is prefilled in the top slot, so that it never stands between them.
/// The caller asks <see cref="Plan"/>, does what it says, and reports back with <see cref="Commit"/> or <see cref="OnOutOfMemory"/>.
/// </summary>
internal sealed class Scheduler(SchedulerLimits limits)
{
    private readonly TokenBudget _budget = new(limits.KvTokens, limits.StepTime);
    private readonly List<ScheduledSequence> _running = [];
    private readonly WaitingLine _short = new();
    private readonly WaitingLine _long = new();
    private readonly WaitingLine _preempted = new();
    private readonly MemoryPressure _pressure = new();
    private StepPlan.Decode? _decode;
    private ScheduledSequence? _prefilling;
    private bool _decodeIsDue;
    private bool _shortIsDue = true;

    public KvShape Shape { get; private set; }

    public TokenBudget Budget => _budget;

    /// <summary>Running sequences; the index is the slot.</summary>
    public IReadOnlyList<ScheduledSequence> Running => _running;

    /// <summary>The long prompt in the top slot, if any.</summary>
    public ScheduledSequence? Prefilling => _prefilling;

    public int WaitingCount => _short.Count + _long.Count + _preempted.Count;

    public int TopSlot => Shape.Slots - 1;

    private int Rows => _running.Count + (_prefilling is null ? 0 : 1);

    public void Enqueue(ScheduledSequence sequence) => (sequence.IsLong ? _long : _short).Append(sequence);

    /// <summary>What to do next. Changes nothing: asked twice, it answers the same.</summary>
    public StepPlan Plan()
    {
        var longest = LongestAfterStep();
        if (longest > Shape.Length && _running.Count > 0) return MakeRoom(longest);
        if (_running.Count > _pressure.RowLimit) return new StepPlan.Preempt(Youngest());
        var decode = _running.Count > 0 ? _decode ??= new StepPlan.Decode(_running) : null;
        if (_decodeIsDue && decode is not null) return decode;
        return PlanAdmission(longest) ?? decode ?? (StepPlan)StepPlan.Idle.Instance;
    }

    /// <summary>The plan was carried out: lengths, slots and statuses follow. Returns the move of keys and values that closes the ranks.</summary>
    public SlotMove? Commit(StepPlan plan)
    {
        switch (plan)
        {
            case StepPlan.Resize resize:
                if (_prefilling is not null) _prefilling.Slot = resize.Shape.Slots - 1;
                Shape = resize.Shape;
                return null;
            case StepPlan.Preempt preempt:
                var move = Leave(preempt.Sequence);
                preempt.Sequence.Status = SequenceStatus.Preempted;
                _preempted.PutBack(preempt.Sequence);
                return move;
            case StepPlan.Restore restore:
                _preempted.Remove(restore.Sequence);
                Join(restore.Sequence);
                return null;
            case StepPlan.Refuse refuse:
                return Remove(refuse.Sequence);
            case StepPlan.Prefill prefill:
                _decodeIsDue = true;
                _shortIsDue = false;
                _pressure.Relax();
                foreach (var sequence in prefill.Sequences)
                {
                    _short.Remove(sequence);
                    sequence.CachedLength = sequence.PromptLength;
                    Join(sequence);
                }

                return null;
            case StepPlan.PrefillChunk chunk:
                return CommitChunk(chunk);
            case StepPlan.Decode:
                _decodeIsDue = false;
                _pressure.Relax();
                foreach (var sequence in _running) sequence.CachedLength++;
                return null;
            default:
                return null;
        }
    }

    /// <summary>The sequence ended or was cancelled, wherever it stands.</summary>
    public SlotMove? Remove(ScheduledSequence sequence)
    {
        var status = sequence.Status;
        SlotMove? move = null;
        if (status == SequenceStatus.Waiting) (sequence.IsLong ? _long : _short).Remove(sequence);
        else if (status == SequenceStatus.Preempted) _preempted.Remove(sequence);
        else if (status != SequenceStatus.Finished) move = Leave(sequence);
        sequence.Status = SequenceStatus.Finished;
        return move;
    }

    /// <summary>
    /// The plan did not fit into the device's memory and changed nothing. Later plans are smaller; returns the sequence that
    /// cannot run even alone and must fail, or null.
    /// </summary>
    public ScheduledSequence? OnOutOfMemory(StepPlan plan)
    {
        _decodeIsDue = true;
        if (plan is StepPlan.Prefill { Sequences.Count: > 1 } prefill)
        {
            _pressure.LimitGroup(prefill.Sequences.Count / 2);
            return null;
        }

        if (_running.Count > 1)
        {
            if (plan is StepPlan.Decode) _budget.Halve(_running.Count, Shape.Length);
            _pressure.LimitRows(_running.Count / 2);
            return null;
        }

        var grows = plan is StepPlan.Resize && LongestAfterStep() > Shape.Length;
        if (_running.Count == 1 && plan is not StepPlan.Decode && !grows)
        {
            _pressure.CloseUntilEmpty();
            return null;
        }

        return _running.Count == 1 ? _running[0] : NextInLine(plan);
    }

    private SlotMove? CommitChunk(StepPlan.PrefillChunk chunk)
    {
        var sequence = chunk.Sequence;
        _decodeIsDue = true;
        _shortIsDue = true;
        _pressure.Relax();
        if (_prefilling is null)
        {
            _long.Remove(sequence);
            _prefilling = sequence;
            sequence.Slot = TopSlot;
            sequence.Status = SequenceStatus.Prefilling;
        }

        sequence.CachedLength = chunk.Start + chunk.Count;
        if (!chunk.IsLast) return null;
        _prefilling = null;
        var from = sequence.Slot;
        Join(sequence);
        return from == sequence.Slot ? null : new SlotMove(from, sequence.Slot, sequence.CachedLength);
    }

    /// <summary>Newcomers, in this order: preempted ones, then short groups and chunks of a long prompt in turn. Null: none now.</summary>
    private StepPlan? PlanAdmission(int longest)
    {
        if (_pressure.IsClosed && _running.Count > 0) return null;
        var chunk = _prefilling is null ? null : Chunk(_prefilling);
        if (_preempted.TryPeek(out var saved)) return Admit(saved, saved.CachedLength + 1, longest, () => new StepPlan.Restore(saved)) ?? chunk;

        var shortPlan = _short.TryPeek(out var first) ? Admit(first, first.PromptLength + 1, longest, () => Group(longest)) : null;
        if (chunk is not null) return _shortIsDue && shortPlan is not null ? shortPlan : chunk;
        if (!_long.TryPeek(out var next)) return shortPlan;

        var longPlan = Admit(next, next.PromptLength + 1, longest, () => Chunk(next));
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
            var rows = Rows + group.Count + 1;
            var fits = widest + 1 <= Shape.Length && rows <= Shape.Slots && rows <= RowLimit(Math.Max(longest, widest + 1));
            var affordable = group.Count < _pressure.GroupLimit && (group.Count + 1) * widest <= PrefillRules.SharedTokens;
            if (group.Count > 0 && !(fits && affordable)) break;
            group.Add(sequence);
        }

        return new StepPlan.Prefill(_running.Count, group);
    }

    private static StepPlan.PrefillChunk Chunk(ScheduledSequence sequence) =>
        new(sequence, sequence.CachedLength, PrefillRules.ChunkLength(sequence.PromptLength, sequence.CachedLength));

    /// <summary>What brings a newcomer of <paramref name="length"/> tokens in: its start, before that a resize; or null: no room now.</summary>
    private StepPlan? Admit(ScheduledSequence sequence, int length, int longest, Func<StepPlan> start)
    {
        if (length > limits.MaxSlotLength) return new StepPlan.Refuse(sequence);
        var reach = Math.Max(longest, length);
        if (Rows + 1 > RowLimit(reach)) return null;
        if (length <= Shape.Length && Rows + 1 <= Shape.Slots) return start();
        var shape = ShapeFor(reach);
        return Rows + 1 > shape.Slots ? null : new StepPlan.Resize(shape);
    }

    /// <summary>Running rows outgrow their slots: longer slots, and where fewer of those fit, the youngest leave first.</summary>
    private StepPlan MakeRoom(int longest)
    {
        if (longest > limits.MaxSlotLength) return new StepPlan.Refuse(_running.First(s => s.CachedLength + 1 > limits.MaxSlotLength));
        var shape = ShapeFor(longest);
        return Rows > shape.Slots ? new StepPlan.Preempt(Youngest()) : new StepPlan.Resize(shape);
    }

    private KvShape ShapeFor(int length)
    {
        var bucket = LengthBuckets.For(length, limits.MaxSlotLength);
        // One slot more than rows may run: the top slot, for a long prompt on its way.
        return new KvShape((int)Math.Clamp(limits.KvTokens / bucket, 1, TokenBudget.MaxRows + 1), bucket);
    }

    private int RowLimit(int longest) => Math.Min(_budget.RowsAt(longest), _pressure.RowLimit);

    private int LongestAfterStep()
    {
        var longest = _prefilling is null ? 0 : _prefilling.PromptLength + 1;
        foreach (var sequence in _running) longest = Math.Max(longest, sequence.CachedLength + 1);
        return longest;
    }

    private ScheduledSequence Youngest() => _running.MaxBy(s => s.Number)!;

    private void Join(ScheduledSequence sequence)
    {
        sequence.Slot = _running.Count;
        sequence.Status = SequenceStatus.Running;
        _running.Add(sequence);
    }

    private SlotMove? Leave(ScheduledSequence sequence)
    {
        var slot = sequence.Slot;
        sequence.Slot = -1;
        if (sequence == _prefilling)
        {
            _prefilling = null;
            return null;
        }

        var last = _running[^1];
        _running[slot] = last;
        _running.RemoveAt(_running.Count - 1);
        if (_running.Count == 0) _pressure.Reopen();
        if (last == sequence) return null;
        last.Slot = slot;
        return new SlotMove(_running.Count, slot, last.CachedLength);
    }

    /// <summary>Whom a plan wanted to bring in when nothing else was running.</summary>
    private ScheduledSequence? NextInLine(StepPlan plan) => plan switch
    {
        StepPlan.Prefill prefill => prefill.Sequences[0],
        StepPlan.PrefillChunk chunk => chunk.Sequence,
        StepPlan.Restore restore => restore.Sequence,
        _ => _prefilling ?? _preempted.Sequences.Concat(_short.Sequences).Concat(_long.Sequences).FirstOrDefault(),
    };
}
