using R1Serverless.Engine.Runtime;
using R1Serverless.Scheduling.Prefixes;

namespace R1Serverless.Tests.Engine.Runtime;

/// <summary>Blocks on the disk: what is read is what was written, or nothing.</summary>
public sealed class PrefixFileTests : IDisposable
{
    private const int BlockBytes = 5000;

    /// <summary>A header, and eight records of two pages.</summary>
    private const long Bytes = 4096 + (8 * 8192);

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-tests-").FullName;

    private string Path => System.IO.Path.Combine(_folder, "sub", "a.prefixes");

    [Fact]
    public void What_was_written_is_read_in_the_next_life()
    {
        using (var file = Open())
        {
            for (var i = 0; i < 5; i++) Assert.True(file.Write(Key(i), null, Block(i)));
            Assert.True(Read(file, 3));
        }

        using var again = Open();
        Assert.Equal(5, again.Count);
        for (var i = 0; i < 5; i++) Assert.True(Read(again, i));
        Assert.False(again.Contains(Key(5)));
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path));
    }

    [Fact]
    public void A_full_file_forgets_what_was_used_the_longest_ago()
    {
        using (var file = Open())
        {
            for (var i = 0; i < 8; i++) file.Write(Key(i), null, Block(i));
            Assert.True(Read(file, 0));
            for (var i = 8; i < 11; i++) file.Write(Key(i), null, Block(i));
            Assert.Equal([0, 4, 5, 6, 7, 8, 9, 10], Enumerable.Range(0, 11).Where(i => file.Contains(Key(i))));
            Assert.All((int[])[0, 4, 7, 8, 10], i => Assert.True(Read(file, i)));
        }

        Assert.True(new FileInfo(Path).Length <= Bytes);
        // A smaller one next time.
        using var smaller = Open(bytes: 4096 + (3 * 8192));
        Assert.InRange(smaller.Count, 1, 3);
        for (var i = 20; i < 30; i++) smaller.Write(Key(i), null, Block(i));
        Assert.Equal(3, smaller.Count);
        Assert.All((int[])[27, 28, 29], i => Assert.True(Read(smaller, i)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_prompt_loses_its_end_before_its_beginning(bool isEndFirst)
    {
        using (var file = Open())
        {
            // Others that leave for it; as it goes on, so that its own would have to.
            for (var i = 20; i < 24; i++) file.Write(Key(i), null, Block(i));
            foreach (var i in isEndFirst ? Enumerable.Range(0, 11).Reverse() : Enumerable.Range(0, 11))
            {
                var isWritten = file.Write(Key(i), i == 0 ? null : Key(i - 1), Block(i));
                if (!isEndFirst && i == 8) Assert.False(isWritten);
                if (!isWritten) break;
            }

            Assert.Equal(Enumerable.Range(0, 8), Enumerable.Range(0, 30).Where(i => file.Contains(Key(i))));
        }

        using var again = Open();
        for (var i = 20; i < 23; i++) Assert.True(again.Write(Key(i), null, Block(i)));
        Assert.Equal([0, 1, 2, 3, 4, 20, 21, 22], Enumerable.Range(0, 30).Where(i => again.Contains(Key(i))));
        Assert.True(Read(again, 4));
        for (var i = 23; i < 26; i++) Assert.True(again.Write(Key(i), null, Block(i)));
        Assert.Equal([0, 1, 2, 3, 4, 23, 24, 25], Enumerable.Range(0, 30).Where(i => again.Contains(Key(i))));
    }

    [Fact]
    public void A_disk_that_is_full_takes_no_more_and_breaks_nothing()
    {
        const string Full = "/dev/full";
        if (!File.Exists(Full)) Assert.Skip("This system has no device that is always full.");
        Assert.Null(PrefixFile.Open(Full, Bytes, "model", BlockBytes, out var refusal));
        Assert.NotNull(refusal);
    }

    [Fact]
    public void What_has_changed_on_the_disk_is_never_read()
    {
        Random random = new(3);
        for (var round = 0; round < 60; round++)
        {
            using (var file = Open())
            {
                for (var i = 0; i < 8; i++) file.Write(Key(i), null, Block(i));
            }

            using (var stream = new FileStream(Path, FileMode.Open))
            {
                switch (round % 3)
                {
                    case 0:
                        stream.SetLength(random.NextInt64(stream.Length));
                        break;
                    case 1:
                        stream.Position = random.NextInt64(stream.Length);
                        var there = stream.ReadByte();
                        stream.Position--;
                        stream.WriteByte((byte)(there ^ (1 << random.Next(8))));
                        break;
                    default:
                        stream.Position = random.NextInt64(stream.Length - 3000);
                        var junk = new byte[3000];
                        random.NextBytes(junk);
                        stream.Write(junk);
                        break;
                }
            }

            using var again = Open();
            var block = new byte[BlockBytes];
            for (var i = 0; i < 8; i++)
            {
                if (again.TryRead(Key(i), block)) Assert.Equal(Block(i), block);
            }

            // And it is as good as new.
            for (var i = 0; i < 8; i++) again.Write(Key(i), null, Block(i));
            for (var i = 0; i < 8; i++) Assert.True(Read(again, i));
        }
    }

    [Fact]
    public void The_file_of_another_model_begins_anew()
    {
        using (var file = Open()) file.Write(Key(1), null, Block(1));
        using (var other = Open(identity: "another")) Assert.False(other.Contains(Key(1)));
        using var again = Open();
        Assert.Equal(0, again.Count);
    }

    [Fact]
    public void One_process_has_it_at_a_time_and_others_are_told_why_not()
    {
        using var file = Open();
        Assert.Null(PrefixFile.Open(Path, Bytes, "model", BlockBytes, out var refusal));
        Assert.Contains("used by another process", refusal, StringComparison.Ordinal);
        Assert.Null(PrefixFile.Open($"{Path}2", 5000, "model", BlockBytes, out refusal));
        Assert.Contains("it needs 9192 bytes", refusal, StringComparison.Ordinal);
        Assert.Null(PrefixFile.Open(System.IO.Path.Combine(Path, "below"), Bytes, "model", BlockBytes, out refusal));
        Assert.NotNull(refusal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static PrefixKey Key(int i) => PrefixKey.Root($"{i}");

    private static byte[] Block(int i)
    {
        var block = new byte[BlockBytes];
        new Random(i).NextBytes(block);
        return block;
    }

    private static bool Read(PrefixFile file, int i)
    {
        var block = new byte[BlockBytes];
        return file.TryRead(Key(i), block) && block.AsSpan().SequenceEqual(Block(i));
    }

    private PrefixFile Open(long bytes = Bytes, string identity = "model") =>
        PrefixFile.Open(Path, bytes, identity, BlockBytes, out _) ?? throw new InvalidOperationException("It can't be opened.");
}
