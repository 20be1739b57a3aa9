namespace R1Serverless.Scheduling;

/// <summary>
/// Decides what each turn of the engine does. Pure policy: no I/O, no clock, one caller.
/// The caller asks <see cref="Plan"/>, does what it says, and reports back with <see cref="Commit"/> or <see cref="OnOutOfMemory"/>.
/// </summary>
public sealed class Scheduler
{
    /// <summary>A shared prefill that brings this many times the rows that run need not wait for a decode step: a few in a row at most, since rows
    /// multiply.</summary>
    private const int CrowdFactor = 3;

    /// <summary>Tokens of rests of prompts, one after the other, that decode steps may wait for: as for a chunk.</summary>
    private const int RestTokens = PrefillRules.ChunkTokens;

    private readonly MemoryPressure _pressure = new();
    private readonly RunningSlots _slots;
    private readonly SlotCapacity _capacity;
    private readonly AdmissionQueue _admission;
    private StepPlan.Decode? _decode;
    private bool _decodeIsDue;

    /// <summary>Of rests of prompts since the last decode step.</summary>
    private int _restTokens;

    /// <param name="sharesPrefixes">Whether prompts that begin alike are computed once.</param>
    public Scheduler(SchedulerLimits limits, bool sharesPrefixes = false)
    {
        // Rows that share memory can be more than it holds.
        Budget = new TokenBudget(limits.MapsPrefixes ? (long)TokenBudget.MaxRows * limits.MaxSlotLength : limits.KvTokens, limits.StepTime);
        _slots = new RunningSlots(limits);
        _capacity = new SlotCapacity(limits, Budget, _pressure);
        Prefixes = new SharedPrefixes(limits, _slots, sharesPrefixes);
        _admission = new AdmissionQueue(_slots, _capacity, _pressure, Prefixes);
    }

    public KvShape Shape => _slots.Shape;

    public TokenBudget Budget { get; }

    public SharedPrefixes Prefixes { get; }

    /// <summary>Running sequences; the index is the slot.</summary>
    public IReadOnlyList<ScheduledSequence> Running => _slots.Running;

    /// <summary>The long prompt in the top slot, if any.</summary>
    public ScheduledSequence? Prefilling => _slots.Prefilling;

    public int WaitingCount => _admission.WaitingCount;

    /// <summary>Whether sequences waited at the last plan that it had no room for.</summary>
    public bool IsFull { get; private set; }

    /// <summary>What the slots have taken.</summary>
    public SlotMemory Memory => _slots.Memory;

    public int TopSlot => _slots.TopSlot;

    public void Enqueue(ScheduledSequence sequence) => _admission.Enqueue(sequence);

    /// <summary>What to do next. Changes nothing but <see cref="IsFull"/>: asked twice, it answers the same.</summary>
    public StepPlan Plan()
    {
        var longest = _slots.LongestAfterStep();
        if (_slots.Count > _pressure.RowLimit) return new StepPlan.Preempt(_slots.Youngest);
        if (longest > Shape.Length && _slots.Count > 0) return MakeRoom(longest);
        if (_slots.Count > 0 && !Prefixes.HasRoom(_slots.StepGrowth(), headroom: 0, out var before))
        {
            if (before is not null) return before;
            if (_slots.Rows > 1) return new StepPlan.Preempt(_slots.Youngest);
        }

        var decode = _slots.Count > 0 ? _decode ??= new StepPlan.Decode(_slots.Running) : null;
        var admission = _admission.Plan(longest);
        IsFull = admission is null && WaitingCount > 0;
        if (_decodeIsDue && decode is not null && !WaitsInNumbers(admission)) return decode;
        return admission ?? decode ?? (StepPlan)StepPlan.Idle.Instance;
    }

    /// <summary>The plan was carried out: lengths, slots and statuses follow. Returns the move of keys and values that closes the ranks.</summary>
    public SlotMove? Commit(StepPlan plan)
    {
        switch (plan)
        {
            case StepPlan.Resize resize:
                _slots.Resize(resize.Shape);
                return null;
            case StepPlan.Preempt preempt:
                var move = Leave(preempt.Sequence);
                _admission.PutBack(preempt.Sequence);
                return move;
            case StepPlan.Restore restore:
                _admission.Remove(restore.Sequence);
                _slots.Join(restore.Sequence);
                return null;
            case StepPlan.Refuse refuse:
                return Remove(refuse.Sequence);
            case StepPlan.Prefill prefill:
                CommitPrefill(prefill);
                return null;
            case StepPlan.PrefillChunk chunk:
                return CommitChunk(chunk);
            case StepPlan.Decode:
                (_decodeIsDue, _restTokens) = (false, 0);
                _pressure.Relax();
                _slots.Advance();
                return null;
            default:
                return null;
        }
    }

    /// <summary>The sequence ended or was cancelled, wherever it stands.</summary>
    public SlotMove? Remove(ScheduledSequence sequence)
    {
        SlotMove? move = null;
        if (sequence.Status is SequenceStatus.Waiting or SequenceStatus.Preempted) _admission.Remove(sequence);
        else if (sequence.Status != SequenceStatus.Finished) move = Leave(sequence);
        Prefixes.Leave(sequence);
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
            case StepPlan.Decode when _slots.Count > 1:
                Budget.Halve(_slots.Count, Shape.Length);
                _pressure.LimitRows(_slots.Count / 2);
                return null;
            case StepPlan.Decode:
                return _slots.Running[0];
        }

        var subject = Subject(plan);
        if (subject is null || _slots.Rows == (subject.Slot < 0 ? 0 : 1)) return subject;
        if (subject.Status == SequenceStatus.Running) _pressure.LimitRows(_slots.Count / 2);
        else _pressure.Close();
        return null;
    }

    /// <summary>Fewer slots than planned, if the rows there are do not need them all.</summary>
    private bool ShrinkBelow(StepPlan.Resize resize)
    {
        var needed = _slots.Rows + (resize.For.Slot < 0 ? 1 : 0);
        if (resize.Shape.Slots <= needed) return false;
        _capacity.ShrinkBelow(resize.Shape, needed);
        return true;
    }

    private void CommitPrefill(StepPlan.Prefill prefill)
    {
        _decodeIsDue = true;
        _admission.OnShort();
        _pressure.Relax();
        foreach (var sequence in prefill.Sequences)
        {
            _admission.Remove(sequence);
            sequence.CachedLength = sequence.PromptLength;
            _slots.Join(sequence);
        }
    }

    private SlotMove? CommitChunk(StepPlan.PrefillChunk chunk)
    {
        _decodeIsDue = true;
        _pressure.Relax();
        var sequence = chunk.Sequence;
        var isNew = sequence.Slot < 0;
        if (isNew)
        {
            _admission.Remove(sequence);
            sequence.SharedLength = chunk.Shared;
        }

        sequence.CachedLength = chunk.Start + chunk.Count;
        if (isNew && chunk.IsLast)
        {
            _admission.OnShort();
            _restTokens += chunk.Count;
            _slots.Join(sequence);
            return null;
        }

        _admission.OnChunk();
        if (isNew) _slots.BeginPrefill(sequence);
        return chunk.IsLast ? _slots.EndPrefill() : null;
    }

    /// <summary>A crowd that came together: the few that run wait for it a little longer, and then all go in step.</summary>
    private bool WaitsInNumbers(StepPlan? admission) =>
        (admission is StepPlan.Prefill prefill && prefill.Sequences.Count >= CrowdFactor * _slots.Count)
        || (admission is StepPlan.PrefillChunk { Shared: > 0, IsLast: true } rest && _restTokens + rest.Count <= RestTokens);

    /// <summary>Running rows outgrow their slots: longer slots, and where fewer of those fit, the youngest leave first.</summary>
    private StepPlan MakeRoom(int longest)
    {
        var grown = _slots.LongestRunning;
        if (longest > _capacity.MaxSlotLength) return new StepPlan.Refuse(grown);
        var shape = _capacity.ShapeFor(longest);
        return _slots.Rows > shape.Slots ? new StepPlan.Preempt(_slots.Youngest)
            : (StepPlan?)Prefixes.BeforeResize(_slots.Rows, shape.Length) ?? new StepPlan.Resize(shape, grown);
    }

    private SlotMove? Leave(ScheduledSequence sequence)
    {
        var move = _slots.Leave(sequence);
        Prefixes.Leave(sequence);
        var isEmpty = _slots.Rows == 0;
        _pressure.OnLeave(isEmpty);
        if (isEmpty) _capacity.Reset();
        return move;
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
