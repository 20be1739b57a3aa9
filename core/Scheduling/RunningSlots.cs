namespace R1Serverless.Scheduling;

/// <summary>Who holds which slot: running sequences in [0, n) without a gap, and a long prompt on its way in the top one, so that it never stands
/// between them.</summary>
public sealed class RunningSlots
{
    private readonly List<ScheduledSequence> _running = [];
    private int _touched;
    private bool _isTopTouched;

    public KvShape Shape { get; private set; }

    /// <summary>Running sequences; the index is the slot.</summary>
    public IReadOnlyList<ScheduledSequence> Running => _running;

    /// <summary>The long prompt in the top slot, if any.</summary>
    public ScheduledSequence? Prefilling { get; private set; }

    /// <summary>Running sequences alone.</summary>
    public int Count => _running.Count;

    /// <summary>Slots that are taken.</summary>
    public int Rows => _running.Count + (Prefilling is null ? 0 : 1);

    public int TopSlot => Shape.Slots - 1;

    /// <summary>Slots that have held anything since the last resize: their memory is taken.</summary>
    public int Touched => TouchedWith(0, isTop: false);

    /// <summary>Slots whose memory will be taken with so many newcomers behind those that run, or with one in the top slot. The long prompt in the
    /// top slot will join the others: it takes two.</summary>
    public int TouchedWith(int newcomers, bool isTop)
    {
        var joining = newcomers + (Prefilling is null ? 0 : 1);
        return Math.Min(Shape.Slots, Math.Max(_touched, _running.Count + joining) + (isTop || _isTopTouched ? 1 : 0));
    }

    /// <summary>Gives back the memory of slots that nobody is in, where those are most of the touched ones: to touch them again costs time.</summary>
    /// <returns>The slots; empty for none.</returns>
    public IReadOnlyList<int> Release()
    {
        if (Touched < 2 * Math.Max(1, Rows)) return [];
        List<int> slots = [.. Enumerable.Range(_running.Count, Math.Max(0, _touched - _running.Count))];
        if (_isTopTouched && Prefilling is null && !slots.Contains(TopSlot) && TopSlot >= _running.Count) slots.Add(TopSlot);
        (_touched, _isTopTouched) = (_running.Count, Prefilling is not null);
        return [.. slots.Where(slot => slot != Prefilling?.Slot)];
    }

    public ScheduledSequence Youngest => _running.MaxBy(s => s.Number)!;

    public ScheduledSequence LongestRunning => _running.MaxBy(s => s.CachedLength)!;

    /// <summary>Tokens that the longest slot must hold when the next step is done.</summary>
    public int LongestAfterStep()
    {
        var longest = Prefilling is null ? 0 : Prefilling.PromptLength + 1;
        foreach (var sequence in _running) longest = Math.Max(longest, sequence.CachedLength + 1);
        return longest;
    }

    public void Resize(KvShape shape)
    {
        if (Prefilling is not null) Prefilling.Slot = shape.Slots - 1;
        Shape = shape;
        (_touched, _isTopTouched) = (_running.Count, Prefilling is not null);
    }

    /// <summary>A decode step has added a token to every running sequence.</summary>
    public void Advance()
    {
        foreach (var sequence in _running) sequence.CachedLength++;
    }

    public void Join(ScheduledSequence sequence)
    {
        sequence.Slot = _running.Count;
        sequence.Status = SequenceStatus.Running;
        _running.Add(sequence);
        _touched = Math.Max(_touched, _running.Count);
    }

    /// <summary>A long prompt begins in the top slot.</summary>
    public void BeginPrefill(ScheduledSequence sequence)
    {
        Prefilling = sequence;
        _isTopTouched = true;
        sequence.Slot = TopSlot;
        sequence.Status = SequenceStatus.Prefilling;
    }

    /// <summary>The long prompt is done and joins the others.</summary>
    public SlotMove? EndPrefill()
    {
        var sequence = Prefilling!;
        Prefilling = null;
        var from = sequence.Slot;
        Join(sequence);
        return from == sequence.Slot ? null : new SlotMove(from, sequence.Slot, sequence.CachedLength);
    }

    /// <summary>Takes the slot from a sequence; the last row closes the gap.</summary>
    public SlotMove? Leave(ScheduledSequence sequence)
    {
        var slot = sequence.Slot;
        sequence.Slot = -1;
        if (sequence == Prefilling)
        {
            Prefilling = null;
            return null;
        }

        var last = _running[^1];
        _running[slot] = last;
        _running.RemoveAt(_running.Count - 1);
        if (last == sequence) return null;
        last.Slot = slot;
        return new SlotMove(_running.Count, slot, last.CachedLength);
    }
}
