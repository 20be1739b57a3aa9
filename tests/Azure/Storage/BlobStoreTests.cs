using System.Text;
using Azure;
using R1Serverless.Azure.Storage;
using R1Serverless.Storage;
using R1Serverless.Tests.Queues.Contract;

namespace R1Serverless.Tests.Azure.Storage;

/// <summary>What the contract of all object stores does not tell: blocks, lost answers, files that change while they are read.</summary>
public sealed class BlobStoreTests(AzuriteFixture azurite)
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_stream_of_many_blocks_comes_back_whole_even_when_it_is_replaced_and_deleted_meanwhile()
    {
        var store = await OpenAsync(await azurite.OptionsAsync());
        const int length = (9 << 20) + 7;
        await store.PutAsync("files/large", new PatternStream(length), None);

        await using var read = (await store.OpenAsync("files/large", None))!;
        await store.PutAsync("files/large", "other"u8.ToArray(), PutCondition.Always, None);
        await store.DeleteAsync("files/large", None);

        await using PatternStream expected = new(length);
        Assert.True(await SameAsync(expected, read));
    }

    [Fact]
    public async Task An_upload_that_breaks_leaves_what_was_there()
    {
        var store = await OpenAsync(await azurite.OptionsAsync());
        await store.PutAsync("files/a", "before"u8.ToArray(), PutCondition.Always, None);

        await Assert.ThrowsAsync<IOException>(async () => await store.PutAsync("files/a", new PatternStream(10 << 20, breakAt: 9 << 20), None));

        Assert.Equal("before", Text(await store.GetAsync("files/a", None)));
    }

    [Fact]
    public async Task Of_two_who_stream_into_one_name_at_once_one_is_there_whole()
    {
        var store = await OpenAsync(await azurite.OptionsAsync());
        MemoryStream[] sources = [.. Enumerable.Range(1, 2).Select(i => new MemoryStream([.. Enumerable.Repeat((byte)i, 9 << 20)]))];

        var faults = await Task.WhenAll(sources.Select(async source =>
        {
            try
            {
                await store.PutAsync("files/a", source, None);
                return null;
            }
            catch (TransportException fault)
            {
                return fault;
            }
        }));

        Assert.Contains(null, faults);
        Assert.All(faults.OfType<TransportException>(), fault => Assert.Contains("its content stands", fault.Message, StringComparison.Ordinal));
        using MemoryStream read = new();
        await using var stored = (await store.OpenAsync("files/a", None))!;
        await stored.CopyToAsync(read, None);
        Assert.Contains(sources, source => source.ToArray().AsSpan().SequenceEqual(read.ToArray()));
    }

    [Fact]
    public async Task A_conditional_write_whose_answer_was_lost_is_still_ones_own()
    {
        var lost = 0;
        var options = await azurite.OptionsAsync();
        var store = await OpenAsync(options with
        {
            Http = new FaultyHttp(after: message =>
            {
                if (message.Request.Method.Method == "PUT" && message.Request.Uri.Path.Contains("marks", StringComparison.Ordinal)
                    && Interlocked.Increment(ref lost) == 1)
                    throw new RequestFailedException(0, "The answer was lost.", new IOException("reset"));
            }),
        });

        var mine = await store.PutAsync("marks/x", "mine"u8.ToArray(), PutCondition.Absent, None);
        var again = await store.PutAsync("marks/x", "other"u8.ToArray(), PutCondition.Absent, None);

        Assert.Equal(3, lost);
        Assert.NotNull(mine);
        Assert.Null(again);
        Assert.NotNull(await store.PutAsync("marks/x", "mine too"u8.ToArray(), PutCondition.Unchanged(mine), None));
    }

    [Fact]
    public async Task Age_is_by_the_services_clock_and_names_are_in_order()
    {
        var store = await OpenAsync(await azurite.OptionsAsync());
        foreach (var name in (string[])["a/c", "a/B", "a/b.1", "a/b/z", "b/a", "a-x"])
            await store.PutAsync(name, new byte[3], PutCondition.Always, None);

        List<ObjectEntry> listed = [];
        await foreach (var entry in store.ListAsync("a/", None)) listed.Add(entry);

        Assert.Equal(["a/B", "a/b.1", "a/b/z", "a/c"], listed.Select(entry => entry.Name));
        Assert.All(listed, entry => Assert.Equal(3, entry.Bytes));
        Assert.All(listed, entry => Assert.InRange(entry.Age, TimeSpan.Zero, TimeSpan.FromMinutes(10)));
    }

    [Fact]
    public async Task A_container_that_was_deleted_is_a_fault_not_an_absent_object()
    {
        BlobStore store = new(await azurite.OptionsAsync());

        var fault = await Assert.ThrowsAsync<TransportException>(async () => await store.GetAsync("a/b", None));

        Assert.Contains("has been deleted", fault.Message, StringComparison.Ordinal);
        Assert.False(fault.IsPermanent);
    }

    private static async Task<BlobStore> OpenAsync(StorageOptions options)
    {
        BlobStore store = new(options);
        await store.OpenAsync(None);
        return store;
    }

    private static string? Text(StoredObject? stored) => stored is null ? null : Encoding.UTF8.GetString(stored.Content.Span);

    private static async Task<bool> SameAsync(Stream expected, Stream actual)
    {
        var a = new byte[1 << 16];
        var b = new byte[1 << 16];
        while (true)
        {
            var count = await expected.ReadAtLeastAsync(a, a.Length, throwOnEndOfStream: false);
            if (await actual.ReadAtLeastAsync(b, b.Length, throwOnEndOfStream: false) != count
                || !a.AsSpan(0, count).SequenceEqual(b.AsSpan(0, count))) return false;
            if (count == 0) return true;
        }
    }
}
