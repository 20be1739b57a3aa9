namespace R1Serverless.Scheduling;

/// <summary>
/// Tokens that the slots have taken memory for. Where memory is taken lazily, a slot takes what was written into it since it was last given back,
/// but not what it shares; else it takes all of its length as soon as anything is in it.
/// </summary>
public sealed class SlotMemory(bool isLazy)
{
    private readonly List<Use> _slots = [];

    /// <summary>Of all slots.</summary>
    public long Tokens { get; private set; }

    /// <summary>Tokens of prefixes that are kept beside the slots.</summary>
    public long Kept { get; set; }

    /// <summary>Tokens that a slot holds.</summary>
    public int Length { get; private set; }

    /// <summary>Slots that may have taken any.</summary>
    public int Slots => _slots.Count;

    /// <summary>What more is taken when a slot holds so many tokens, the first of which it shares.</summary>
    public int Growth(int slot, int length, int shared) => At(slot) is var use ? Next(use, length, shared).Own - use.Own : 0;

    /// <summary>A slot holds so many tokens, the first of which it shares.</summary>
    public void Take(int slot, int length, int shared)
    {
        while (_slots.Count <= slot) _slots.Add(default);
        Change(slot, Next(_slots[slot], length, shared));
    }

    /// <summary>Nobody is in a slot any more. What it has taken stays until somebody is, or it is given back.</summary>
    public void Leave(int slot) => Change(slot, _slots[slot] with { Length = 0 });

    /// <summary>What a slot has taken beyond what it holds is given back.</summary>
    /// <returns>The tokens from which on its memory is not needed; null where none is given back.</returns>
    public int? Release(int slot)
    {
        if (Releasable(slot) == 0) return null;
        var use = _slots[slot];
        Change(slot, use.Length == 0 ? default : use with { Touched = use.Length, Own = Math.Min(use.Own, use.Length - use.Shared) });
        return use.Length;
    }

    /// <summary>Tokens that <see cref="Release"/> would give back.</summary>
    public int Releasable(int slot)
    {
        var use = At(slot);
        return use.Length == 0 ? use.Own : isLazy ? Math.Max(0, use.Own - (use.Length - use.Shared)) : 0;
    }

    /// <summary>Slots of another length: nothing is in them.</summary>
    public void Resize(int length)
    {
        _slots.Clear();
        (Tokens, Length) = (0, length);
    }

    private Use Next(Use use, int length, int shared)
    {
        var size = isLazy ? Math.Min(length, Length) : Length;
        var touched = Math.Max(use.Touched, size);
        var written = use.Length == 0 ? size - shared : size - use.Length - (shared - use.Shared);
        // Not more than was ever written, of which some is written again.
        return new Use(size, touched, shared, Math.Min(touched - shared, use.Own + written));
    }

    private void Change(int slot, Use use)
    {
        Tokens += use.Own - _slots[slot].Own;
        _slots[slot] = use;
    }

    private Use At(int slot) => slot >= 0 && slot < _slots.Count ? _slots[slot] : default;

    /// <param name="Length">Tokens that whoever is in the slot holds; 0 for nobody.</param>
    /// <param name="Touched">Tokens from its first on that have been written or shared since it was given back.</param>
    /// <param name="Shared">Of the last one in it.</param>
    /// <param name="Own">Tokens that memory was taken for.</param>
    private readonly record struct Use(int Length, int Touched, int Shared, int Own);
}
