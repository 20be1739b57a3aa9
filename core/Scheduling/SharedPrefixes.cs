using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Scheduling;

/// <summary>What of a prompt is taken from those before it, and how the memory for keys and values is divided between that and the slots.</summary>
/// <param name="limits">Of all slots and what is kept.</param>
/// <param name="slots">Who is in them.</param>
/// <param name="isOn">False: nothing is kept, and nobody shares.</param>
public sealed class SharedPrefixes(SchedulerLimits limits, RunningSlots slots, bool isOn)
{
    private readonly PrefixTree _tree = new();

    /// <inheritdoc cref="PrefixTree.Leaving"/>
    public Action<KeyedBlock>? Leaving
    {
        get => _tree.Leaving;
        set => _tree.Leaving = value;
    }

    /// <summary>Blocks that are kept.</summary>
    public int Blocks => _tree.Count;

    /// <summary>Of those, blocks that lie in slots, and can't be dropped.</summary>
    public int HeldBlocks => _tree.Held;

    /// <summary>Tokens that there is memory for; less than none for a moment, while a prompt is both in its slot and kept.</summary>
    public long Free => limits.KvTokens - slots.Taken - slots.Memory.Kept;

    /// <summary>The tokens of a waiting prompt that need not be computed.</summary>
    public int Match(ScheduledSequence sequence)
    {
        if (!isOn || sequence.PrefixSalt is not { } salt) return 0;
        if (sequence.MatchVersion == _tree.Version) return sequence.MatchLength;
        sequence.MatchVersion = _tree.Version;
        return sequence.MatchLength = _tree.Match(salt, sequence.Prompt.Span);
    }

    /// <summary>Of those, the tokens that take no memory in its slot.</summary>
    public int Attachable(ScheduledSequence sequence) => limits.MapsPrefixes ? Match(sequence) : 0;

    /// <summary>Whether to wait for another prompt on its way, since it computes what this one needs.</summary>
    public bool WaitsFor(ScheduledSequence sequence, ScheduledSequence other) =>
        isOn && sequence.PrefixSalt is { } salt && salt == other.PrefixSalt && PrefixTree.Shareable(sequence.PromptLength) > Match(sequence)
        && Math.Min(PrefixTree.Shareable(sequence.PromptLength), PrefixTree.Common(sequence.Prompt.Span, other.Prompt.Span)) > Match(sequence);

    /// <summary>The blocks with a prompt's first tokens.</summary>
    public IReadOnlyList<int> Use(ScheduledSequence sequence, int length) => _tree.Use(sequence.PrefixSalt!, sequence.Prompt.Span, length);

    /// <summary>A prompt's first tokens lie in its slot.</summary>
    /// <param name="length">Of the prompt.</param>
    /// <param name="mapped">Of those, the tokens that take no memory there: their blocks stay until it leaves.</param>
    public void OnAttached(ScheduledSequence sequence, int length, int mapped)
    {
        Leave(sequence);
        if (mapped > 0) sequence.Held = _tree.Hold(sequence.PrefixSalt!, sequence.Prompt.Span, length);
        slots.Attach(sequence, mapped);
    }

    /// <summary>A sequence is in no slot any more.</summary>
    public void Leave(ScheduledSequence sequence)
    {
        sequence.Held?.Dispose();
        (sequence.Held, sequence.AttachedLength) = (null, 0);
    }

    /// <summary>Those in a slot whose own copy of what another has just attached is not needed: the blocks can lie there as well.</summary>
    public IReadOnlyList<(ScheduledSequence Sequence, int Length)> Copies(ScheduledSequence attached, int length)
    {
        if (!limits.MapsPrefixes) return [];
        List<(ScheduledSequence, int)> copies = [];
        foreach (var other in slots.Prefilling is { } prefilling ? [.. slots.Running, prefilling] : slots.Running)
        {
            if (other == attached || other.PrefixSalt != attached.PrefixSalt) continue;
            var common = Math.Min(length, PrefixTree.Common(other.Prompt.Span, attached.Prompt.Span));
            if (common > other.AttachedLength && Math.Min(common, OwnBlocks(other)) is var kept && kept > other.AttachedLength)
                copies.Add((other, kept));
        }

        return copies;
    }

    /// <summary>Tokens of a prompt that are in its slot and kept: they could lie there without taking memory.</summary>
    public int OwnBlocks(ScheduledSequence sequence) =>
        limits.MapsPrefixes && sequence.PrefixSalt is { } salt
            ? Math.Min(_tree.Kept(salt, sequence.Prompt.Span), sequence.CachedLength / PrefixTree.BlockTokens * PrefixTree.BlockTokens) : 0;

    /// <summary>Whether all that can be kept of a prompt's computed tokens is.</summary>
    public bool KeepsAll(ScheduledSequence sequence) => !isOn || sequence.PrefixSalt is not { } salt
        || _tree.Kept(salt, sequence.Prompt.Span[..Math.Min(sequence.CachedLength, sequence.PromptLength)]) + PrefixTree.BlockTokens
            > Math.Min(sequence.CachedLength, sequence.PromptLength);

    /// <summary>Keeps what of a prompt is in its slot; the caller fills the blocks. Where there is no memory for both, the slot's own copy is to
    /// go: see <see cref="OwnBlocks"/>.</summary>
    /// <param name="dropped">Blocks that are not kept any more.</param>
    public IReadOnlyList<PrefixBlock> Publish(ScheduledSequence sequence, out IReadOnlyList<int> dropped)
    {
        dropped = [];
        if (!isOn || sequence.PrefixSalt is not { } salt) return [];
        var length = Math.Min(sequence.CachedLength, sequence.PromptLength);
        // Others leave for it first: a slot that gives its own copy away has to touch new memory for its next prompt.
        var room = Room(slots.Taken);
        if (limits.MapsPrefixes && room * (long)PrefixTree.BlockTokens < length) room = Room(slots.Taken - (length - sequence.AttachedLength));
        var blocks = _tree.Publish(salt, sequence.Prompt.Span, length, room, out dropped);
        Count();
        return blocks;
    }

    /// <summary>Keeps what of a prompt is about to be computed, where it lies in its slot without taking memory there: the memory that the slot was
    /// to take holds it. It is either computed and attached before anything else is done, or withdrawn.</summary>
    /// <param name="start">Tokens that have been computed.</param>
    /// <param name="length">Tokens that will have been.</param>
    public IReadOnlyList<PrefixBlock> Reserve(ScheduledSequence sequence, int start, int length)
    {
        if (!isOn || !limits.MapsPrefixes || sequence.PrefixSalt is not { } salt || _tree.Kept(salt, sequence.Prompt.Span) < start) return [];
        var blocks = _tree.Publish(salt, sequence.Prompt.Span, length, int.MaxValue, out _);
        Count();
        return blocks;
    }

    /// <inheritdoc cref="PrefixTree.TakeNew"/>
    public KeyedBlock? TakeNew() => _tree.TakeNew();

    /// <summary>Keeps what of a waiting prompt was kept in an earlier life, as far as there is memory; the caller fills the blocks.</summary>
    /// <param name="length">Tokens of the prompt that it is known of.</param>
    /// <param name="dropped">Blocks that are not kept any more.</param>
    public IReadOnlyList<PrefixBlock> Recall(ScheduledSequence sequence, int length, out IReadOnlyList<int> dropped)
    {
        var blocks = _tree.Publish(sequence.PrefixSalt!, sequence.Prompt.Span, length, Room(slots.Taken), out dropped);
        Count();
        return blocks;
    }

    /// <summary>What was reserved was not computed in its place.</summary>
    /// <returns>Blocks that are not kept any more.</returns>
    public IReadOnlyList<int> Withdraw(ScheduledSequence sequence, int from)
    {
        var dropped = _tree.Withdraw(sequence.PrefixSalt!, sequence.Prompt.Span, from);
        Count();
        return dropped;
    }

    /// <summary>Memory of slots that must be given back for a prompt to be kept; empty where there is room, or where it is not most of all: slots
    /// that touch new memory for each prompt cost more than other prefixes that leave.</summary>
    public IReadOnlyList<SlotRest> ReleaseSlots(ScheduledSequence sequence) =>
        isOn && sequence.PrefixSalt is not null && _tree.Count + (sequence.PromptLength / PrefixTree.BlockTokens) > Room(slots.Taken)
            && slots.Unused() * 2 >= limits.KvTokens ? slots.Release() : [];

    /// <inheritdoc cref="RunningSlots.Release"/>
    public IReadOnlyList<SlotRest> ReleaseSlots() => slots.Release();

    /// <summary>Whether there is memory for so many more tokens in the slots.</summary>
    /// <param name="headroom">Tokens more that must be had later without anybody leaving for them: prefixes may.</param>
    /// <param name="before">If not, what makes room; null where a row must leave.</param>
    public bool HasRoom(long growth, long headroom, out StepPlan? before)
    {
        before = null;
        if (growth + headroom <= Free || (growth == 0 && !limits.TakesMemoryLazily)) return true;
        if (growth <= Free && growth + headroom <= Free + ((long)(_tree.Count - _tree.Held) * PrefixTree.BlockTokens)) return true;
        growth += headroom;
        if (limits.TakesMemoryLazily && slots.Unused() > 0) before = StepPlan.ReleaseSlots.Instance;
        else if (_tree.Count > _tree.Held) before = new StepPlan.TrimPrefixes(Room(slots.Taken + growth));
        return false;
    }

    /// <summary>What must be dropped before there are slots of another length with so many rows; null for nothing.</summary>
    public StepPlan.TrimPrefixes? BeforeResize(int rows, int length) =>
        !limits.TakesMemoryLazily && Room((long)rows * length) is var room && _tree.Count > room ? new(room) : null;

    /// <returns>The dropped blocks.</returns>
    public IReadOnlyList<int> Trim(int most)
    {
        var dropped = _tree.Trim(most);
        Count();
        return dropped;
    }

    private void Count() => slots.Memory.Kept = (long)_tree.Count * PrefixTree.BlockTokens;

    /// <summary>Blocks that may be kept beside so many tokens in slots.</summary>
    private int Room(long tokens) => (int)Math.Clamp((limits.KvTokens - tokens) / PrefixTree.BlockTokens, 0, int.MaxValue);
}
