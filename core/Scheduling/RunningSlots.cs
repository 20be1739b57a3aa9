namespace R1Serverless.Scheduling;

/// <summary>Who holds which slot: running sequences in [0, n) without a gap, and a long prompt on its way in the top one, so that it never stands
/// between them.</summary>
/// <param name="limits">Of their memory.</param>
public sealed class RunningSlots(SchedulerLimits limits)
{
    private readonly List<ScheduledSequence> _running = [];

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

    /// <summary>What the slots have taken.</summary>
    public SlotMemory Memory { get; } = new(limits.TakesMemoryLazily);

    /// <summary>Tokens that the slots have taken, and will take for the long prompt on its way.</summary>
    public long Taken => Memory.Tokens + Joining(_running.Count, Prefilling is not null);

    /// <summary>Tokens that newcomers' slots take.</summary>
    /// <param name="length">Tokens that each brings, the first of which it shares.</param>
    /// <param name="isTop">Whether it is one that begins in the top slot.</param>
    public long Growth(int newcomers, int length, int shared, bool isTop)
    {
        var growth = isTop ? (long)Memory.Growth(TopSlot, length, shared) : 0;
        var joins = _running.Count + (isTop ? 0 : newcomers);
        for (var slot = _running.Count; slot < joins; slot++) growth += Memory.Growth(slot, length, shared);
        return growth + Joining(joins, isTop || Prefilling is not null) - Joining(_running.Count, Prefilling is not null);
    }

    /// <summary>Tokens that the next decode step takes.</summary>
    public int StepGrowth()
    {
        var growth = 0;
        foreach (var sequence in _running) growth += Memory.Growth(sequence.Slot, sequence.CachedLength + 1, sequence.AttachedLength);
        return growth;
    }

    /// <summary>Tokens of memory that hold nothing any more.</summary>
    public long Unused()
    {
        var tokens = 0L;
        for (var slot = 0; slot < Memory.Slots; slot++) tokens += Memory.Releasable(slot);
        return tokens;
    }

    /// <summary>Gives back memory that holds nothing: to touch it again costs time.</summary>
    /// <returns>Slots, and the tokens from which on what they have is not needed.</returns>
    public IReadOnlyList<SlotRest> Release()
    {
        List<SlotRest> rests = [];
        for (var slot = 0; slot < Memory.Slots; slot++)
        {
            if (Memory.Release(slot) is { } from) rests.Add(new SlotRest(slot, from));
        }

        return rests;
    }

    /// <summary>A sequence's first tokens lie in what it shares with others from now on.</summary>
    public void Attach(ScheduledSequence sequence, int tokens)
    {
        sequence.AttachedLength = tokens;
        if (sequence.Slot >= 0) Take(sequence);
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
        Memory.Resize(shape.Length);
        foreach (var sequence in _running) Take(sequence);
        if (Prefilling is not null) Take(Prefilling);
    }

    /// <summary>A decode step has added a token to every running sequence.</summary>
    public void Advance()
    {
        foreach (var sequence in _running)
        {
            sequence.CachedLength++;
            Take(sequence);
        }
    }

    public void Join(ScheduledSequence sequence)
    {
        sequence.Slot = _running.Count;
        sequence.Status = SequenceStatus.Running;
        _running.Add(sequence);
        Take(sequence);
    }

    /// <summary>A long prompt begins in the top slot.</summary>
    public void BeginPrefill(ScheduledSequence sequence)
    {
        Prefilling = sequence;
        sequence.Slot = TopSlot;
        sequence.Status = SequenceStatus.Prefilling;
        Take(sequence);
    }

    /// <summary>The long prompt is done and joins the others.</summary>
    public SlotMove? EndPrefill()
    {
        var (sequence, from) = (Prefilling!, Prefilling!.Slot);
        Prefilling = null;
        Memory.Leave(from);
        Join(sequence);
        return from == sequence.Slot ? null : Moved(sequence, from);
    }

    /// <summary>Takes the slot from a sequence; the last row closes the gap.</summary>
    public SlotMove? Leave(ScheduledSequence sequence)
    {
        var slot = sequence.Slot;
        sequence.Slot = -1;
        Memory.Leave(slot);
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
        Memory.Leave(_running.Count);
        Take(last);
        return Moved(last, _running.Count);
    }

    /// <summary>A long prompt will join the others: it takes a second slot, where the one it leaves can't be given back on the way.</summary>
    private int Joining(int slot, bool isLong) =>
        isLong && !limits.TakesMemoryLazily && slot < TopSlot ? Memory.Growth(slot, Shape.Length, shared: 0) : 0;

    /// <summary>Where there is no memory for both slots, the one that is left is given back on the way.</summary>
    private SlotMove Moved(ScheduledSequence sequence, int from)
    {
        var isFreed = limits.TakesMemoryLazily && Memory.Tokens + Memory.Kept > limits.KvTokens;
        if (isFreed) Memory.Release(from);
        return new SlotMove(from, sequence.Slot, sequence.CachedLength, isFreed);
    }

    /// <summary>Of a prompt on its way as much as it will need, so that nobody takes that from it.</summary>
    private void Take(ScheduledSequence sequence) => Memory.Take(
        sequence.Slot, sequence == Prefilling ? sequence.PromptLength : sequence.CachedLength, sequence.AttachedLength);
}
