using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Tests.Scheduling.Prefixes;

/// <summary>Blocks by the names that they have on the disk.</summary>
public sealed class KeyedBlockTests
{
    private const int Block = PrefixTree.BlockTokens;

    [Fact]
    public void Each_that_leaves_is_told_with_the_one_before_it_and_an_unfilled_one_is_not()
    {
        List<KeyedBlock> left = [];
        PrefixTree tree = new() { Leaving = left.Add };
        var prompt = Prompt(1, 3 * Block);
        tree.Publish("s", prompt, prompt.Length, 10, out _);
        var keys = PrefixKey.Of("s", prompt, 3);
        tree.Withdraw("s", prompt, 2 * Block);
        Assert.Empty(left);
        tree.Trim(0);
        Assert.Equal([new(keys[0], keys[1], 1), new(null, keys[0], 0)], left);
    }

    [Fact]
    public void New_ones_come_in_their_order_without_those_that_have_left()
    {
        PrefixTree tree = new() { Leaving = _ => { } };
        for (var i = 0; i < 1000; i++) tree.Publish("s", Prompt(i, 2 * Block), 2 * Block, 6, out _);
        var expected = Enumerable.Range(997, 3).SelectMany(i => PrefixKey.Of("s", Prompt(i, 2 * Block), 2));
        List<PrefixKey> taken = [];
        while (tree.TakeNew() is { } one) taken.Add(one.Key);
        Assert.Equal(expected, taken);
    }

    [Fact]
    public void Another_salt_or_another_token_before_it_makes_another_name()
    {
        var prompt = Prompt(3, 4 * Block);
        var keys = PrefixKey.Of("a", prompt, 4);
        Assert.Equal(4, keys.Distinct().Count());
        Assert.Empty(keys.Intersect(PrefixKey.Of("b", prompt, 4)));
        prompt[Block]++;
        Assert.Equal([keys[0]], keys.Intersect(PrefixKey.Of("a", prompt, 4)));
    }

    private static int[] Prompt(int number, int length) => [.. Enumerable.Range(0, length).Select(i => (number * 1000) + i)];
}
