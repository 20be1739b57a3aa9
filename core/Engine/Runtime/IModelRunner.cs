using R1Serverless.Scheduling;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Engine.Runtime;

/// <summary>
/// Runs one loaded variant over its KV slots. The seam between policy and ONNX Runtime; used by one thread only.
/// A step either completes, or changes nothing that a later step reads.
/// </summary>
public interface IModelRunner : IDisposable
{
    int VocabularySize { get; }

    /// <summary>Bytes of keys and values per token, over all layers.</summary>
    long KvBytesPerToken { get; }

    /// <summary>Gives the KV buffers a new shape; <paramref name="rows"/> says what is kept and where it goes.</summary>
    StepOutcome Resize(KvShape shape, IReadOnlyList<SlotMove> rows);

    void Move(SlotMove move);

    /// <summary>Copies a slot's first <paramref name="length"/> tokens out of the device's memory.</summary>
    KvSnapshot Save(int slot, int length);

    StepOutcome Restore(KvSnapshot snapshot, int slot);

    /// <summary>Gives back the memory of slots that nothing is in, where it can be; they may be used again.</summary>
    void Release(IReadOnlyList<int> slots);

    /// <summary>Copies blocks of a slot's tokens out, to be attached to others.</summary>
    StepOutcome Publish(int slot, IReadOnlyList<PrefixBlock> blocks);

    /// <summary>Copies published blocks in as a slot's first tokens, in this order.</summary>
    StepOutcome Attach(int slot, IReadOnlyList<int> blocks);

    /// <summary>Published blocks are not attached any more.</summary>
    void Drop(IReadOnlyList<int> blocks);

    /// <summary>One ragged run over whole prompts, into slots [firstSlot, firstSlot + prompts). Then <see cref="Logits"/>(i) is prompt i's.</summary>
    StepOutcome Prefill(int firstSlot, IReadOnlyList<ReadOnlyMemory<int>> prompts);

    /// <summary>The prompt's tokens [start, start + tokens) into a slot that holds [0, start). Then <see cref="Logits"/>(0) is the last
    /// token's.</summary>
    StepOutcome PrefillChunk(int slot, int start, ReadOnlyMemory<int> tokens);

    /// <summary>One token per row of slots [0, n); row i holds <paramref name="cachedLengths"/>[i] tokens before it.</summary>
    StepOutcome Decode(ReadOnlySpan<int> tokens, ReadOnlySpan<int> cachedLengths);

    /// <summary>Logits [vocabulary] of a row of the last step, for the caller to use up before it asks for another row or runs the next
    /// step.</summary>
    Span<float> Logits(int row);
}

/// <summary>Keys and values of one sequence, outside the slots.</summary>
public abstract class KvSnapshot : IDisposable
{
    public abstract int Length { get; }

    public abstract void Dispose();
}
