using System.Security.Cryptography;
using System.Text;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Queues.Contract;

public abstract class ObjectStoreContract : TransportContract
{
    private IObjectStore Store => Gateway.Store;

    private IObjectStore Other => Worker.Store;

    [Fact]
    public async Task What_was_put_is_there_for_every_instance()
    {
        byte[] content = [.. Enumerable.Range(0, 1000).Select(i => (byte)i)];
        var tag = await Store.PutAsync("results/a.json", content, PutCondition.Always, Stop);
        Assert.NotNull(tag);

        var stored = await Other.GetAsync("results/a.json", Stop);
        Assert.Equal(content, stored!.Content.ToArray());
        Assert.Equal(tag, stored.Tag);
        Assert.True(await Other.ExistsAsync("results/a.json", Stop));
        Assert.True(await Other.DeleteAsync("results/a.json", Stop));
        Assert.False(await Store.ExistsAsync("results/a.json", Stop));
    }

    [Fact]
    public async Task Nothing_is_null_and_no_error()
    {
        Assert.Null(await Store.GetAsync("no/such", Stop));
        Assert.Null(await Store.OpenAsync("no/such", Stop));
        Assert.False(await Store.ExistsAsync("no/such", Stop));
        Assert.False(await Store.DeleteAsync("no/such", Stop));
        Assert.Null(
            await Store.PutAsync("no/such", Bytes("x"),
            PutCondition.Unchanged((await Store.PutAsync("some", Bytes("y"), PutCondition.Always, Stop))!), Stop));
        Assert.Empty(await NamesAsync("no/"));
    }

    [Fact]
    public async Task An_empty_object_is_an_object()
    {
        Assert.NotNull(await Store.PutAsync("empty", ReadOnlyMemory<byte>.Empty, PutCondition.Absent, Stop));
        Assert.Equal(0, (await Store.GetAsync("empty", Stop))!.Content.Length);
    }

    [Fact]
    public async Task Every_write_gives_a_new_tag_even_of_the_same_content()
    {
        HashSet<string> tags = new(StringComparer.Ordinal);
        for (var i = 0; i < 20; i++) Assert.True(tags.Add((await Store.PutAsync("a", Bytes("same"), PutCondition.Always, Stop))!));
    }

    [Fact]
    public async Task Of_many_who_write_if_absent_one_wins()
    {
        var tags =
            await Task.WhenAll(
                Enumerable.Range(0, 20)
                .Select(i => (i % 2 == 0 ? Store : Other).PutAsync("results/race", Bytes($"writer {i}"), PutCondition.Absent, Stop).AsTask()));
        var winner = Assert.Single(Enumerable.Range(0, 20), i => tags[i] is not null);
        Assert.Equal($"writer {winner}", await ReadAsync("results/race"));
        Assert.Null(await Store.PutAsync("results/race", Bytes("late"), PutCondition.Absent, Stop));
    }

    [Fact]
    public async Task Of_many_who_write_if_unchanged_none_overwrites_another()
    {
        const int Writers = 8, Rounds = 5;
        await Store.PutAsync("count", Bytes("0"), PutCondition.Always, Stop);

        await Task.WhenAll(Enumerable.Range(0, Writers).Select(async i =>
        {
            var store = i % 2 == 0 ? Store : Other;
            for (var done = 0; done < Rounds;)
            {
                var read = (await store.GetAsync("count", Stop))!;
                var value = int.Parse(Encoding.UTF8.GetString(read.Content.Span));
                if (await store.PutAsync("count", Bytes($"{value + 1}"), PutCondition.Unchanged(read.Tag), Stop) is not null) done++;
            }
        }));

        Assert.Equal($"{Writers * Rounds}", await ReadAsync("count"));
    }

    [Fact]
    public async Task A_tag_of_an_object_that_was_replaced_or_deleted_does_not_hold()
    {
        var first = (await Store.PutAsync("a", Bytes("1"), PutCondition.Always, Stop))!;
        var second = (await Store.PutAsync("a", Bytes("2"), PutCondition.Unchanged(first), Stop))!;
        Assert.Null(await Store.PutAsync("a", Bytes("3"), PutCondition.Unchanged(first), Stop));
        Assert.True(await Store.DeleteAsync("a", Stop));
        Assert.Null(await Store.PutAsync("a", Bytes("3"), PutCondition.Unchanged(second), Stop));
        Assert.NotNull(await Store.PutAsync("a", Bytes("1"), PutCondition.Absent, Stop));
        Assert.Null(await Store.PutAsync("a", Bytes("3"), PutCondition.Unchanged(first), Stop));
        Assert.Equal("1", await ReadAsync("a"));
    }

    [Fact]
    public async Task A_list_is_in_ordinal_order_and_holds_what_lies_below()
    {
        string[] names = ["l/a", "l/a-b", "l/a.b", "l/B", "l/b/c/d", "l/b/c2", "l/b-", "l/b0", "l/_"];
        foreach (var name in names) await Store.PutAsync(name, Bytes(name), PutCondition.Always, Stop);
        await Store.PutAsync("l2/a", Bytes("x"), PutCondition.Always, Stop);
        await Store.PutAsync("l-", Bytes("x"), PutCondition.Always, Stop);

        List<ObjectEntry> entries = [];
        await foreach (var entry in Other.ListAsync("l/", Stop)) entries.Add(entry);
        Assert.Equal(names.Order(StringComparer.Ordinal), entries.Select(entry => entry.Name));
        Assert.All(entries, entry => Assert.Equal(entry.Name.Length, entry.Bytes));
        Assert.All(entries, entry => Assert.InRange(entry.Age, TimeSpan.Zero, TimeSpan.FromMinutes(1)));
        Assert.Equal(["l/b/c/d", "l/b/c2"], await NamesAsync("l/b/"));
    }

    [Fact]
    public async Task A_list_may_be_long()
    {
        foreach (var i in Enumerable.Range(0, 60)) await Store.PutAsync($"many/{i:D4}", Bytes("x"), PutCondition.Always, Stop);
        Assert.Equal(Enumerable.Range(0, 60).Select(i => $"many/{i:D4}"), await NamesAsync("many/"));
    }

    [Fact]
    public async Task Age_is_counted_since_the_last_write()
    {
        await Store.PutAsync("m/a", Bytes("x"), PutCondition.Always, Stop);
        await Store.PutAsync("m/b", Bytes("x"), PutCondition.Always, Stop);
        await Fixture.PassAsync(TimeSpan.FromSeconds(3));
        await Store.PutAsync("m/b", Bytes("y"), PutCondition.Always, Stop);

        List<ObjectEntry> entries = [];
        await foreach (var entry in Store.ListAsync("m/", Stop)) entries.Add(entry);
        Assert.True(entries[0].Age - entries[1].Age >= TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task Fifty_megabytes_are_streamed_in_pieces()
    {
        const int Bytes = 50 << 20;
        using PatternStream source = new(Bytes);
        await Store.PutAsync("files/large", source, Stop);
        Assert.InRange(source.LargestRead, 1, 8 << 20);

        using var stored = (await Other.OpenAsync("files/large", Stop))!;
        using PatternStream again = new(Bytes);
        Assert.Equal(await SHA256.HashDataAsync(again, Stop), await SHA256.HashDataAsync(stored, Stop));
        await foreach (var entry in Store.ListAsync("files/", Stop)) Assert.Equal(Bytes, entry.Bytes);
    }

    [Fact]
    public async Task A_stream_that_breaks_leaves_what_was_there()
    {
        await Store.PutAsync("files/a", Bytes("old"), PutCondition.Always, Stop);
        using PatternStream breaks = new(9 << 20, breakAt: 5 << 20), breaksToo = new(9 << 20, breakAt: 5 << 20);
        await Assert.ThrowsAnyAsync<Exception>(async () => await Store.PutAsync("files/a", breaks, Stop));
        await Assert.ThrowsAnyAsync<Exception>(async () => await Store.PutAsync("files/b", breaksToo, Stop));
        Assert.Equal("old", await ReadAsync("files/a"));
        Assert.Equal(["files/a"], await NamesAsync("files/"));
    }

    [Theory]
    [InlineData("results/parts")]
    [InlineData("files/parts")]
    public async Task A_part_is_read_of_the_version_that_was_asked_for_and_of_no_other(string name)
    {
        byte[] content = [.. Enumerable.Range(0, 200_000).Select(i => (byte)(i * 31 >> 3))];
        var tag = (await Store.PutAsync(name, content, PutCondition.Always, Stop))!;
        Assert.Equal(new ObjectHead(content.Length, tag), await Other.FindAsync(name, Stop));

        var part = new byte[70_000];
        Assert.Equal(70_000, await Other.ReadAsync(name, tag, 30_001, part, Stop));
        Assert.Equal(content[30_001..100_001], part);
        Assert.Equal(60_000, await Other.ReadAsync(name, tag, 140_000, part, Stop));
        Assert.Equal(content[140_000..], part[..60_000]);
        Assert.Equal(0, await Other.ReadAsync(name, tag, 200_000, part, Stop));
        Assert.Equal(0, await Other.ReadAsync(name, tag, 0, Memory<byte>.Empty, Stop));

        var next = (await Store.PutAsync(name, content, PutCondition.Always, Stop))!;
        Assert.Null(await Other.ReadAsync(name, tag, 0, part, Stop));
        Assert.Equal(70_000, await Other.ReadAsync(name, next, 0, part, Stop));
        await Store.DeleteAsync(name, Stop);
        Assert.Null(await Other.ReadAsync(name, next, 0, part, Stop));
        Assert.Null(await Other.FindAsync(name, Stop));
    }

    [Theory]
    [InlineData("results/watched")]
    [InlineData("files/watched")]
    public async Task Who_looks_for_a_change_is_told_of_each_and_of_nothing_else(string name)
    {
        Assert.Equal(new ObjectChange(true, null), await Other.GetIfChangedAsync(name, "\"none\"", Stop));
        var first = (await Store.PutAsync(name, Bytes("1"), PutCondition.Always, Stop))!;
        var found = await Other.GetIfChangedAsync(name, "\"none\"", Stop);
        Assert.Equal((true, first), (found.IsChange, found.Object!.Tag));
        Assert.Equal(default, await Other.GetIfChangedAsync(name, first, Stop));

        var second = (await Store.PutAsync(name, Bytes("2"), PutCondition.Unchanged(first), Stop))!;
        found = await Other.GetIfChangedAsync(name, first, Stop);
        Assert.Equal((second, "2"), (found.Object!.Tag, Encoding.UTF8.GetString(found.Object.Content.Span)));
        await Store.DeleteAsync(name, Stop);
        Assert.Equal(new ObjectChange(true, null), await Other.GetIfChangedAsync(name, second, Stop));
    }

    [Fact]
    public async Task Who_reads_sees_one_version_whole_while_others_write()
    {
        await Store.PutAsync("a", Whole(0), PutCondition.Always, Stop);
        var writing = WriteAsync();
        do
        {
            using var stream = (await Other.OpenAsync("a", Stop))!;
            using MemoryStream read = new();
            await stream.CopyToAsync(read, Stop);
            Assert.Equal(200_000, read.Length);
            Assert.Equal(-1, read.ToArray().AsSpan().IndexOfAnyExcept(read.ToArray()[0]));
        }
        while (!writing.IsCompleted);

        await writing;

        async Task WriteAsync()
        {
            for (byte i = 1; i <= 30; i++) await Store.PutAsync("a", Whole(i), PutCondition.Always, Stop);
        }

        static byte[] Whole(byte value) => [.. Enumerable.Repeat(value, 200_000)];
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData("..")]
    [InlineData("a/../b")]
    [InlineData(".hidden")]
    [InlineData("a/.b")]
    [InlineData("a b")]
    [InlineData("a\\b")]
    [InlineData("é")]
    [InlineData("a\0")]
    [InlineData("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789")]
    public async Task Other_names_are_refused(string name)
    {
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.PutAsync(name, Bytes("x"), PutCondition.Always, Stop));
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.PutAsync(name, Stream.Null, Stop));
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.GetAsync(name, Stop));
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.OpenAsync(name, Stop));
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.FindAsync(name, Stop));
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.ReadAsync(name, "x", 0, new byte[1], Stop));
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.GetIfChangedAsync(name, "x", Stop));
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.ExistsAsync(name, Stop));
        await Assert.ThrowsAsync<ArgumentException>(async () => await Store.DeleteAsync(name, Stop));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a")]
    [InlineData("../")]
    [InlineData("a//")]
    public async Task Other_prefixes_are_refused(string prefix) => await Assert.ThrowsAsync<ArgumentException>(() => NamesAsync(prefix));

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private async Task<string> ReadAsync(string name) => Encoding.UTF8.GetString((await Other.GetAsync(name, Stop))!.Content.Span);

    private async Task<List<string>> NamesAsync(string prefix)
    {
        List<string> names = [];
        await foreach (var entry in Other.ListAsync(prefix, Stop)) names.Add(entry.Name);
        return names;
    }
}
