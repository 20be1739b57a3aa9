using System.Diagnostics.CodeAnalysis;

namespace R1Serverless.Scheduling;

/// <summary>First come, first served. Removal from the middle is a cancelled request, and rare.</summary>
internal sealed class WaitingQueue
{
    private readonly LinkedList<ScheduledSequence> _line = new();

    public int Count => _line.Count;

    public IEnumerable<ScheduledSequence> Sequences => _line;

    public void Append(ScheduledSequence sequence) => _line.AddLast(sequence);

    /// <summary>Puts a sequence back where its number says: before everything that came later.</summary>
    public void PutBack(ScheduledSequence sequence)
    {
        var node = _line.First;
        while (node is not null && node.Value.Number < sequence.Number) node = node.Next;
        if (node is null) _line.AddLast(sequence);
        else _line.AddBefore(node, sequence);
    }

    public bool TryPeek([NotNullWhen(true)] out ScheduledSequence? sequence) => (sequence = _line.First?.Value) is not null;

    public void Remove(ScheduledSequence sequence) => _line.Remove(sequence);
}
