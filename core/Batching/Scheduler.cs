namespace R1Serverless.Batching;

/// <summary>
/// Decides what each turn of the engine does. Pure policy: no I/O, no clock, one caller. Running sequences keep slots [0, n) without a gap;
/// a long prompt is prefilled in the top slot, so that it never stands between them.
/// The caller asks <see cref="Plan"/>, does what it says, and reports back with <see cref="Commit"/> or <see cref="OnOutOfMemory"/>.
/// </summary>
internal sealed class Scheduler(SchedulerLimits limits)
{
    /// <summary>A shared prefill that brings this many times the rows that run need not wait for a decode step: a few in a row at most, since rows multiply.</summary>
    private const int CrowdFactor = 3;

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
    private long _kvTokens = limits.KvTokens;

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
        if (_running.Count > _pressure.RowLimit) return new StepPlan.Preempt(Youngest());
        if (longest > Shape.Length && _running.Count > 0) return MakeRoom(longest);
        var decode = _running.Count > 0 ? _decode ??= new StepPlan.Decode(_running) : null;
        var admission = PlanAdmission(longest);
        if (_decodeIsDue && decode is not null && !WaitsInNumbers(admission)) return decode;
        return admission ?? decode ?? (StepPlan)StepPlan.Idle.Instance;
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
        switch (plan)
        {
            case StepPlan.Resize resize when ShrinkBelow(resize):
                return null;
            case StepPlan.Prefill { Sequences.Count: > 1 } prefill:
                _pressure.LimitGroup(prefill.Sequences.Count / 2);
                return null;
            case StepPlan.Decode when _running.Count > 1:
                _budget.Halve(_running.Count, Shape.Length);
                _pressure.LimitRows(_running.Count / 2);
                return null;
            case StepPlan.Decode:
                return _running[0];
        }

        var subject = Subject(plan);
        if (subject is null || Rows == (subject.Slot < 0 ? 0 : 1)) return subject;
        if (subject.Status == SequenceStatus.Running) _pressure.LimitRows(_running.Count / 2);
        else _pressure.Close();
        return null;
    }

    /// <summary>Fewer slots than planned, if the rows there are do not need them all.</summary>
    private bool ShrinkBelow(StepPlan.Resize resize)
    {
        var needed = Rows + (resize.For.Slot < 0 ? 1 : 0);
        if (resize.Shape.Slots <= needed) return false;
        _kvTokens = (long)Math.Max(needed, resize.Shape.Slots / 2) * resize.Shape.Length;
        return true;
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
        if (_pressure.IsClosed && Rows > 0) return _running.Count > 0 ? null : Chunk(_prefilling!);
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

    /// <summary>A crowd that came together: the few that run wait for it a little longer, and then all go in step.</summary>
    private bool WaitsInNumbers(StepPlan? admission) => admission is StepPlan.Prefill prefill && prefill.Sequences.Count >= CrowdFactor * _running.Count;

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
        return Rows + 1 > shape.Slots ? null : new StepPlan.Resize(shape, sequence);
    }

    /// <summary>Running rows outgrow their slots: longer slots, and where fewer of those fit, the youngest leave first.</summary>
    private StepPlan MakeRoom(int longest)
    {
        var grown = _running.MaxBy(s => s.CachedLength)!;
        if (longest > limits.MaxSlotLength) return new StepPlan.Refuse(grown);
        var shape = ShapeFor(longest);
        return Rows > shape.Slots ? new StepPlan.Preempt(Youngest()) : new StepPlan.Resize(shape, grown);
    }

    private KvShape ShapeFor(int length)
    {
        var bucket = LengthBuckets.For(length, limits.MaxSlotLength);
        // One slot more than rows may run: the top slot, for a long prompt on its way.
        return new KvShape((int)Math.Clamp(_kvTokens / bucket, 1, TokenBudget.MaxRows + 1), bucket);
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
        var isTop = sequence == _prefilling;
        if (isTop) _prefilling = null;
        var last = isTop ? sequence : _running[^1];
        if (!isTop)
        {
            _running[slot] = last;
            _running.RemoveAt(_running.Count - 1);
        }

        _pressure.OnLeave(Rows == 0);
        if (Rows == 0) _kvTokens = limits.KvTokens;
        if (last == sequence) return null;
        last.Slot = slot;
        return new SlotMove(_running.Count, slot, last.CachedLength);
    }

    /// <summary>Whom a plan was for.</summary>
    private static ScheduledSequence? Subject(StepPlan plan) => plan switch
    {
        StepPlan.Resize resize => resize.For,
        StepPlan.Prefill prefill => prefill.Sequences[0],
        StepPlan.PrefillChunk chunk => chunk.Sequence,
        StepPlan.Restore restore => restore.Sequence,
        _ => null,
    };
}
