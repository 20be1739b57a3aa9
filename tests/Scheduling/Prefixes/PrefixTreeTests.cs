using CsCheck;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Tests.Scheduling.Prefixes;

/// <summary>The tree against a list of all that was kept.</summary>
public sealed class PrefixTreeTests
{
    private const int Block = PrefixTree.BlockTokens;

    /// <summary>Of each step: the salt, two decisions at each block, the length, the capacity, and what is done.</summary>
    private static readonly Gen<(int Salt, int Turns, int Length, int Capacity, int Act)> Step =
        Gen.Select(Gen.Int[0, 1], Gen.Int[0, 255], Gen.Int[0, (8 * Block) + 3], Gen.Int[0, 14], Gen.Int[0, 9]);

    [Fact]
    public void It_keeps_what_a_list_of_all_would_keep() => Step.Array[1, 60].Sample(steps =>
    {
        PrefixTree tree = new();
        // Salt and tokens of each block's path, and its number; the most recently used last.
        List<(string Path, int Block)> kept = [];
        List<(HeldPrefix Held, string[] Paths)> holders = [];
        foreach (var (saltNumber, turns, length, capacity, act) in steps)
        {
            var salt = $"s{saltNumber}";
            var prompt = Prompt(turns, length);
            var expected = Enumerable.Range(1, PrefixTree.Shareable(length) / Block)
                .TakeWhile(count => kept.Exists(one => one.Path == Path(salt, prompt, count))).Count();
            Assert.Equal(expected * Block, tree.Match(salt, prompt));
            string[] Held() => [.. holders.SelectMany(holder => holder.Paths).Distinct()];
            if (act == 0)
            {
                Assert.Equal(Trim(kept, capacity, Held()), tree.Trim(capacity));
            }
            else if (act == 1)
            {
                holders.Add((tree.Hold(salt, prompt, expected * Block), [.. Enumerable.Range(1, expected).Select(count => Path(salt, prompt, count))]));
            }
            else if (act == 2 && holders.Count > 0)
            {
                holders[0].Held.Dispose();
                holders.RemoveAt(0);
            }
            else if (act < 4)
            {
                var used = tree.Use(salt, prompt, expected * Block);
                Assert.Equal(Enumerable.Range(1, expected).Select(count => kept.Single(one => one.Path == Path(salt, prompt, count)).Block), used);
                Touch(kept, salt, prompt, expected);
            }
            else
            {
                Publish(tree, kept, salt, prompt, capacity, Held());
            }

            Assert.Equal(Held().Length, tree.Held);
            Assert.All(Held(), path => Assert.Contains(kept, one => one.Path == path));
            Assert.Equal(kept.Count, tree.Count);
            Assert.Equal(kept.Count, kept.Select(one => one.Block).Distinct().Count());
        }
    });

    [Fact]
    public void The_end_of_a_prompt_is_withdrawn_but_for_what_others_begin_with()
    {
        PrefixTree tree = new();
        var (one, other) = (Prompt(0b0000, 4 * Block), Prompt(0b1100, 4 * Block));
        tree.Publish("s", one, 2 * Block, 100, out _);
        var reserved = tree.Publish("s", one, 4 * Block, 100, out _);
        tree.Publish("s", other, 4 * Block, 100, out _);
        Assert.Equal(reserved.Select(block => block.Block).Order(), tree.Withdraw("s", one, 2 * Block).Order());
        Assert.Equal((2 * Block, 4 * Block), (tree.Kept("s", one), tree.Kept("s", other)));
        Assert.Empty(tree.Withdraw("s", one, Block));
        using var held = tree.Hold("s", other, 4 * Block);
        Assert.Empty(tree.Withdraw("s", other, 0));
        Assert.Equal(reserved.Select(block => block.Block), tree.Publish("s", one, 4 * Block, 100, out _).Select(block => block.Block));
    }

    [Fact]
    public void The_last_two_tokens_are_never_taken()
    {
        PrefixTree tree = new();
        var prompt = Prompt(0, 4 * Block);
        Assert.Equal([0, 64, 128, 192], tree.Publish("s", prompt, prompt.Length, 100, out _).Select(block => block.Start));
        Assert.Equal(3 * Block, tree.Match("s", prompt));
        Assert.Equal(3 * Block, tree.Match("s", [.. prompt, 1]));
        Assert.Equal(4 * Block, tree.Match("s", [.. prompt, 1, 2]));
        Assert.Equal(0, tree.Match("other", [.. prompt, 1, 2]));
    }

    private static void Publish(PrefixTree tree, List<(string Path, int Block)> kept, string salt, int[] prompt, int capacity, string[] held)
    {
        var before = kept.Select(one => one.Block).ToArray();
        var blocks = tree.Publish(salt, prompt, prompt.Length, capacity, out var dropped);
        var whole = prompt.Length / Block;
        var known = Enumerable.Range(1, whole).TakeWhile(count => kept.Exists(one => one.Path == Path(salt, prompt, count))).Count();
        if (known == whole)
        {
            Assert.Empty(blocks);
            return;
        }

        Touch(kept, salt, prompt, known);
        Assert.Equal(Enumerable.Range(known, blocks.Count).Select(i => i * Block), blocks.Select(block => block.Start));
        for (var i = 0; i < blocks.Count; i++)
        {
            Trim(kept, capacity - 1, [.. held, .. Enumerable.Range(1, known + i).Select(count => Path(salt, prompt, count))]);
            // Behind the block before it, which is used later.
            var at = known + i == 0 ? kept.Count : kept.FindIndex(one => one.Path == Path(salt, prompt, known + i));
            Assert.True(at >= 0, "A block of the prompt itself was dropped.");
            kept.Insert(at, (Path(salt, prompt, known + i + 1), blocks[i].Block));
        }

        string[] own = [.. Enumerable.Range(1, known + blocks.Count).Select(count => Path(salt, prompt, count))];
        Assert.True(own.Length == whole || held.Union(own).Count() >= capacity, "There was room for more.");
        Assert.Equal(before.Except(kept.Select(one => one.Block)).Order(), dropped.Order());
    }

    /// <summary>Drops those used the longest ago that nobody holds.</summary>
    private static List<int> Trim(List<(string Path, int Block)> kept, int most, string[] held)
    {
        List<int> dropped = [];
        foreach (var one in kept.Where(one => !held.Contains(one.Path)).ToArray())
        {
            if (kept.Count <= Math.Max(0, most)) break;
            kept.Remove(one);
            dropped.Add(one.Block);
        }

        return dropped;
    }

    /// <summary>The first block is the last to be used.</summary>
    private static void Touch(List<(string Path, int Block)> kept, string salt, int[] prompt, int blocks)
    {
        for (var count = blocks; count >= 1; count--)
        {
            var one = kept.Single(other => other.Path == Path(salt, prompt, count));
            kept.Remove(one);
            kept.Add(one);
        }
    }

    private static string Path(string salt, int[] prompt, int blocks) =>
        $"{salt}:{string.Join(',', Enumerable.Range(0, blocks).Select(i => prompt[i * Block]))}";

    /// <summary>Each block is one of two.</summary>
    private static int[] Prompt(int turns, int length) => [.. Enumerable.Range(0, length).Select(i => (turns >> (i / Block)) & 1)];
}
