using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Prepared;
using R1Serverless.Scheduling;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Tests.Engine.Runtime;

/// <summary>A prompt's logits, bit for bit: alone, beside longer and shorter ones, and cut into parts that were computed for another.</summary>
public sealed class PromptBitsTests
{
    private const int Block = PrefixTree.BlockTokens, Longest = 512;

    [Theory]
    [InlineData(Precision.Fp32, false)]
    [InlineData(Precision.Fp16, false)]
    [InlineData(Precision.Int8, false)]
    [InlineData(Precision.Int4, false)]
    [InlineData(Precision.Fp32, true)]
    public void They_are_the_same_however_a_prompt_is_run(Precision precision, bool hasInt8Kv)
    {
        var folder = hasInt8Kv ? TestModels.NanoKv8 : TestModels.Nano;
        using var runner =
            VariantRunner.Open(folder, folder.Manifest.Variants.Single(one => one.Precision == precision), new RuntimeOptions { Threads = 2 });
        runner.Resize(new KvShape(5, 2 * Longest), []);
        Random random = new(3);
        // Whole blocks of attention, and one token more or less, are where kernels change.
        int[] lengths = [.. Enumerable.Range(1, 7).SelectMany(i => (int[])[(i * Block) - 1, i * Block, (i * Block) + 1, (i * Block) + 2]),
            .. Enumerable.Range(0, 12).Select(_ => random.Next(2, Longest + 1))];
        foreach (var length in lengths)
        {
            var prompt = Prompt(random, length);
            runner.Prefill(0, [prompt]);
            var alone = runner.Logits(0).ToArray();

            ReadOnlyMemory<int>[] group = [.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => Prompt(random, random.Next(1, Longest + 1)))];
            var at = random.Next(group.Length + 1);
            runner.Prefill(1, [.. group[..at], prompt, .. group[at..]]);
            Assert.True(runner.Logits(at).SequenceEqual(alone),
                $"{length} tokens at {at} beside {string.Join(", ", group.Select(one => one.Length))}");

            for (var start = Block; start <= PrefixTree.Shareable(length); start += Block * random.Next(1, 4))
            {
                runner.Publish(0, [.. Enumerable.Range(0, start / Block).Select(i => new PrefixBlock(i * Block, i))]);
                runner.Attach(1, [.. Enumerable.Range(0, start / Block)], out _);
                runner.PrefillChunk(1, start, prompt.AsMemory(start));
                Assert.True(runner.Logits(0).SequenceEqual(alone), $"{length} tokens, {start} of them shared");
            }
        }
    }

    private static int[] Prompt(Random random, int length) => [.. Enumerable.Range(0, length).Select(_ => random.Next(300))];
}
