namespace R1Serverless.Engine.Steps;

/// <summary>Sequences whose prompts come from the disk before they wait with the others: the first one's, a piece a turn, so that those that run
/// don't wait for a whole prompt.</summary>
internal sealed class PrefixRecalls(PrefixSteps prefixes)
{
    private readonly List<Sequence> _waiting = [];

    /// <summary>Tokens that have come of the first one's.</summary>
    private int _reached;

    public int Count => _waiting.Count;

    /// <summary>False where nothing of it is on the disk.</summary>
    public bool TryBegin(Sequence sequence)
    {
        if (!prefixes.MayRecall(sequence)) return false;
        _waiting.Add(sequence);
        return true;
    }

    /// <summary>Takes one piece.</summary>
    /// <returns>The sequence that is done; null for none.</returns>
    public Sequence? Turn()
    {
        if (_waiting.Count == 0) return null;
        var first = _waiting[0];
        if (prefixes.Recall(first, _reached) is { } reached)
        {
            _reached = reached;
            return null;
        }

        Remove(first);
        return first;
    }

    public bool Remove(Sequence sequence)
    {
        if (_waiting.Count > 0 && _waiting[0] == sequence) _reached = 0;
        return _waiting.Remove(sequence);
    }
}
