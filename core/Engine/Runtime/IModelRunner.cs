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

    /// <inheritdoc cref="SchedulerLimits.TakesMemoryLazily"/>
    bool TakesMemoryLazily { get; }

    /// <inheritdoc cref="SchedulerLimits.MapsPrefixes"/>
    bool MapsPrefixes { get; }

    /// <summary>Gives the KV buffers a new shape; <paramref name="rows"/> says what is kept and where it goes.</summary>
    StepOutcome Resize(KvShape shape, IReadOnlyList<SlotMove> rows);

    void Move(SlotMove move);

    /// <summary>Copies a slot's first <paramref name="length"/> tokens out of the device's memory.</summary>
    KvSnapshot Save(int slot, int length);

    /// <summary>Puts a snapshot into a slot, from one of its tokens on: those before it are there.</summary>
    StepOutcome Restore(KvSnapshot snapshot, int slot, int from);

    /// <summary>Gives back the memory of what slots hold from a token on, where it can be; they may be used again.</summary>
    void Release(IReadOnlyList<SlotRest> rests);

    /// <summary>Copies blocks of a slot's tokens out, to be attached to others.</summary>
    StepOutcome Publish(int slot, IReadOnlyList<PrefixBlock> blocks);

    /// <summary>Makes published blocks a slot's first tokens, in this order.</summary>
    /// <param name="mapped">Of those, the tokens that take no memory there: their blocks are not dropped while the slot is used.</param>
    StepOutcome Attach(int slot, IReadOnlyList<int> blocks, out int mapped);

    /// <summary>Bytes of a block's keys and values.</summary>
    int BlockBytes { get; }

    /// <summary>Copies a published block to the host.</summary>
    /// <param name="to">[<see cref="BlockBytes"/>].</param>
    void ReadBlock(int block, byte[] to);

    /// <summary>Publishes a block with what was read of one.</summary>
    StepOutcome WriteBlock(int block, byte[] from);

    /// <summary>Published blocks are not attached any more, and lie in no slot that is used.</summary>
    void Drop(IReadOnlyList<int> blocks);

    /// <summary>One ragged run over whole prompts, into slots [firstSlot, firstSlot + prompts). Then <see cref="Logits"/>(i) is prompt i's.</summary>
    StepOutcome Prefill(int firstSlot, IReadOnlyList<ReadOnlyMemory<int>> prompts);

    /// <summary>The prompt's tokens [start, start + tokens) into a slot that holds [0, start). Then <see cref="Logits"/>(0) is the last
    /// token's.</summary>
    StepOutcome PrefillChunk(int slot, int start, ReadOnlyMemory<int> tokens);

    /// <summary>The same, and what it computes is published: it is computed where the blocks lie, or else not published.</summary>
    /// <param name="blocks">New ones, of the chunk's tokens.</param>
    /// <param name="mapped">All tokens of the slot that take no memory there; 0 where the blocks were not published.</param>
    StepOutcome PrefillChunk(int slot, int start, ReadOnlyMemory<int> tokens, IReadOnlyList<PrefixBlock> blocks, out int mapped);

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
