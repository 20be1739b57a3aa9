using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Prepared;
using R1Serverless.Engine.Runtime;
using R1Serverless.Scheduling;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Tests.Engine.Runtime;

/// <summary>Published blocks that lie in several slots at once, by the real runner: no slot sees what another writes, and logits keep their bits.</summary>
public sealed class MappedPrefixTests
{
    private const int Block = PrefixTree.BlockTokens, Slots = 6, Longest = 512, Blocks = 24;

    [Theory]
    [InlineData(Precision.Fp32, false)]
    [InlineData(Precision.Fp16, false)]
    [InlineData(Precision.Int8, true)]
    public void They_stay_as_they_are_whatever_is_done_to_slots(Precision precision, bool hasInt8Kv)
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("Blocks are mapped on Linux only.");
        var folder = hasInt8Kv ? TestModels.NanoKv8 : TestModels.Nano;
        using var runner =
            VariantRunner.Open(folder, folder.Manifest.Variants.Single(one => one.Precision == precision), new RuntimeOptions { Threads = 2 });
        Assert.True(runner.MapsPrefixes);
        runner.Resize(new KvShape(Slots, Longest), []);
        Random random = new(5);
        // Of each slot the prompt that is in it, and what its next token's logits must be: none where nothing is.
        var inSlot = new int[Slots][];
        var published = new (int[] Tokens, int[] Blocks)?[3];
        var (mappings, inPlace) = (0, 0);
        for (var act = 0; act < 160; act++)
        {
            var (slot, family) = (random.Next(1, Slots), random.Next(published.Length));
            switch (random.Next(6))
            {
                case 0 when published[family] is null:
                    // What is new is computed in slot 0 and copied, or computed in its blocks in another; they need not lie in a row.
                    var tokens = Prompt(random, random.Next(2, 6) * Block);
                    int[] free = [.. Enumerable.Range(0, Blocks).Except(published.SelectMany(one => one?.Blocks ?? []))];
                    int[] blocks = [.. (random.Next(2) == 0 ? free : [.. free.OrderBy(_ => random.Next())]).Take(tokens.Length / Block)];
                    PrefixBlock[] fresh = [.. blocks.Select((block, i) => new PrefixBlock(i * Block, block))];
                    published[family] = (tokens, blocks);
                    Completed(runner.PrefillChunk(slot, 0, tokens, fresh, out var there));
                    inSlot[slot] = tokens;
                    inPlace += there / Block;
                    if (there > 0) break;
                    Completed(runner.Prefill(0, [tokens]));
                    Completed(runner.Publish(0, fresh));
                    break;
                case 1 or 2 or 3 when published[family] is var (beginning, kept):
                    Completed(runner.Attach(slot, kept, out var mapped));
                    mappings += mapped / Block;
                    int[] own = [.. beginning, .. Prompt(random, random.Next(2, 80))];
                    Completed(runner.PrefillChunk(slot, beginning.Length, own.AsMemory(beginning.Length)));
                    inSlot[slot] = own;
                    break;
                case 4 when inSlot[slot] is { } prompt:
                    var to = random.Next(1, Slots);
                    if (to == slot) runner.Release([new SlotRest(slot, prompt.Length)]);
                    else runner.Move(new SlotMove(slot, to, prompt.Length, random.Next(2) == 0));
                    (inSlot[slot], inSlot[to]) = (null!, prompt);
                    break;
                case 5 when random.Next(3) == 0 && published[family] is var (_, dropped):
                    // As the scheduler does: what lies in a slot that is used is not dropped.
                    for (var i = 1; i < Slots; i++) inSlot[i] = null!;
                    runner.Drop(dropped);
                    published[family] = null;
                    break;
                case 5:
                    var length = random.Next(2) == 0 ? Longest : 2 * Longest;
                    Completed(runner.Resize(new KvShape(Slots, length),
                        [.. Enumerable.Range(1, Slots - 1).Where(i => inSlot[i] is not null).Select(i => new SlotMove(i, i, inSlot[i].Length))]));
                    break;
            }

            Check(runner, inSlot, random);
        }

        Assert.True(mappings > 20, $"Only {mappings} blocks were mapped.");
        Assert.True(inPlace > 5 || hasInt8Kv, $"Only {inPlace} blocks were computed in their place.");
    }

    /// <summary>The next token's logits of a slot are those of its prompt run whole.</summary>
    private static void Check(IModelRunner runner, int[][] inSlot, Random random)
    {
        int[] used = [.. Enumerable.Range(1, Slots - 1).Where(i => inSlot[i] is not null)];
        if (used.Length == 0) return;
        var slot = used[random.Next(used.Length)];
        int[] longer = [.. inSlot[slot], .. Prompt(random, 3)];
        Completed(runner.Prefill(0, [longer]));
        var whole = runner.Logits(0).ToArray();
        Completed(runner.PrefillChunk(slot, inSlot[slot].Length, longer.AsMemory(inSlot[slot].Length)));
        Assert.True(runner.Logits(0).SequenceEqual(whole), $"Slot {slot} has other logits with {inSlot[slot].Length} tokens.");
    }

    private static void Completed(StepOutcome outcome) => Assert.Equal(StepResult.Completed, outcome.Result);

    private static int[] Prompt(Random random, int length) => [.. Enumerable.Range(0, length).Select(_ => random.Next(300))];
}
