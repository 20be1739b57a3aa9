using System.Text;
using R1Serverless.Commands.Offline;
using R1Serverless.Queues.Batches;

namespace R1Serverless.Tests.Commands.Offline;

public sealed class BatchJournalTests : IDisposable
{
    private readonly string _path = Path.Combine(Directory.CreateTempSubdirectory("r1-journal-").FullName, "out.part");

    [Fact]
    public async Task What_was_appended_is_there_again()
    {
        using (var journal = await OpenAsync())
        {
            journal.Append(1, Line("""{"a":1}"""));
            journal.Append(2, Line("""{"b":"é"}""", isError: true));
        }

        using var again = await OpenAsync();
        Assert.Equal((2, true, false), (again.Count, again.Has(2), again.Has(3)));
        Assert.Equal("{\"a\":1}\n", Encoding.UTF8.GetString(again.Read(1).Json.Span));
        Assert.True(again.Read(2).IsError);
        Assert.Equal("{\"b\":\"é\"}\n", Encoding.UTF8.GetString(again.Read(2).Json.Span));
    }

    [Fact]
    public async Task A_cut_at_any_byte_loses_only_what_was_not_whole()
    {
        using (var journal = await OpenAsync())
        {
            for (var i = 1; i <= 3; i++) journal.Append((UInt128)i, Line($$"""{"n":{{i}}}"""));
        }

        var whole = await File.ReadAllBytesAsync(_path);
        int[] ends = [.. Enumerable.Range(0, whole.Length).Where(i => whole[i] == '\n').Select(i => i + 1)];
        for (var length = 0; length <= whole.Length; length++)
        {
            await File.WriteAllBytesAsync(_path, whole[..length]);
            using (var cut = await OpenAsync())
            {
                Assert.Equal(Math.Max(0, ends.Count(end => end <= length) - 1), cut.Count);
                cut.Append(99, Line("{}"));
            }

            using var again = await OpenAsync();
            Assert.True(again.Has(99));
            for (var i = 1; i < again.Count; i++) Assert.Equal($"{{\"n\":{i}}}\n", Encoding.UTF8.GetString(again.Read((UInt128)i).Json.Span));
        }
    }

    [Fact]
    public async Task Other_settings_are_refused_and_so_is_a_second_process()
    {
        using var journal = await OpenAsync();
        Assert.Contains("another run", (await Assert.ThrowsAsync<IOException>(OpenAsync)).Message, StringComparison.Ordinal);
        journal.Dispose();
        var other = await Assert.ThrowsAsync<InvalidDataException>(() => BatchJournal.OpenAsync(_path, "other", default));
        Assert.Contains("begun with other settings: head", other.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(10, 0, 0, 0, 2, "0 of 10, 0 tokens/s")]
    [InlineData(3000, 1000, 500, 2, 10, "1,500 of 3,000, 2 failed, 4,000 tokens/s, 0:30 left")]
    [InlineData(100000, 0, 100, 0, 10, "100 of 100,000, 4,000 tokens/s, 2:46:30 left")]
    public void Progress_tells_rate_and_time_left(long total, long before, long ended, long failed, int seconds, string text) =>
        Assert.Equal(text,
            OfflineScreen.Describe(new OfflineProgress(total, before, ended, failed, ended == 0 ? 0 : 40_000), TimeSpan.FromSeconds(seconds)));

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_path)!, recursive: true);

    private static LineOutput Line(string json, bool isError = false) => new(Encoding.UTF8.GetBytes(json + "\n"), isError);

    private Task<BatchJournal> OpenAsync() => BatchJournal.OpenAsync(_path, "head", default);
}
