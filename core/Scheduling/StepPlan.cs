namespace R1Serverless.Scheduling;

/// <summary>The one thing to do next. Prefills, chunks and decode steps run the model; the others prepare the KV slots.</summary>
public abstract record StepPlan
{
    private StepPlan()
    {
    }

    /// <summary>Nothing to do until a request comes.</summary>
    public sealed record Idle : StepPlan
    {
        public static readonly Idle Instance = new();
    }

    /// <summary>Give the KV buffers a new shape; what is in the slots is kept. <paramref name="For"/> is the newcomer, or the row that outgrows its
    /// slot.</summary>
    public sealed record Resize(KvShape Shape, ScheduledSequence For) : StepPlan;

    /// <summary>Save a sequence's keys and values and give its slot back.</summary>
    public sealed record Preempt(ScheduledSequence Sequence) : StepPlan;

    /// <summary>Put a preempted sequence's keys and values into the next slot; the first <paramref name="Shared"/> tokens are taken from what is kept
    /// of other prompts.</summary>
    public sealed record Restore(ScheduledSequence Sequence, int Shared) : StepPlan;

    /// <summary>No memory can ever hold this sequence: end it.</summary>
    public sealed record Refuse(ScheduledSequence Sequence) : StepPlan;

    /// <summary>One ragged run over whole prompts, into consecutive slots from <paramref name="FirstSlot"/>.</summary>
    public sealed record Prefill(int FirstSlot, IReadOnlyList<ScheduledSequence> Sequences) : StepPlan;

    /// <summary>One chunk of a prompt, in <paramref name="Slot"/>: the top one, or for what needs no other chunk the next. Of a prompt's first chunk,
    /// the <paramref name="Shared"/> tokens before it are copied into the slot from what is kept of other prompts.</summary>
    public sealed record PrefillChunk(ScheduledSequence Sequence, int Start, int Count, int Slot, int Shared) : StepPlan
    {
        public bool IsLast => Start + Count == Sequence.PromptLength;
    }

    /// <summary>Give back the memory of slots that holds nothing any more.</summary>
    public sealed record ReleaseSlots : StepPlan
    {
        public static readonly ReleaseSlots Instance = new();
    }

    /// <summary>Keep fewer beginnings of prompts: the slots need the memory.</summary>
    public sealed record TrimPrefixes(int Blocks) : StepPlan;

    /// <summary>One token for every running sequence: rows [0, n).</summary>
    public sealed record Decode(IReadOnlyList<ScheduledSequence> Sequences) : StepPlan;
}

/// <summary>The shape of the KV buffers: how many slots, and how many tokens each holds.</summary>
public readonly record struct KvShape(int Slots, int Length);

/// <summary>Slot <paramref name="From"/>'s first <paramref name="Length"/> tokens belong into slot <paramref name="To"/>.</summary>
/// <param name="IsFreed">Whether the slot they leave is given back on the way, as there is no memory for both.</param>
public readonly record struct SlotMove(int From, int To, int Length, bool IsFreed = false);

/// <summary>What a slot has memory for from a token on.</summary>
public readonly record struct SlotRest(int Slot, int From);
