using System.Text;
using CsCheck;
using R1Serverless.Queues.Batches;

namespace R1Serverless.Tests.Queues.Batches;

public sealed class LineReaderTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData("a", "a")]
    [InlineData("a\n", "a")]
    [InlineData("a\r\nb\r\n", "a|b")]
    [InlineData("\n\na", "||a")]
    [InlineData("\uFEFFa\nb", "a|b")]
    [InlineData("a\n12345678901\nb", "a|<too long>|b")]
    [InlineData("1234567890\n12345678901", "1234567890|<too long>")]
    public async Task Lines_come_one_by_one(string text, string lines) =>
    Assert.Equal(lines, string.Join('|', await ReadAsync(Encoding.UTF8.GetBytes(text), 10, int.MaxValue)));

    [Fact]
    public void Any_text_in_any_pieces_gives_its_lines() =>
        Gen.Select(Gen.String[Gen.Char["ab\n"], 0, 200], Gen.Int[1, 30], Gen.Int[1, 50]).Sample((text, piece, longest) =>
        {
            var expected = text.Length == 0 ? [] : (text.EndsWith('\n') ? text[..^1] : text).Split('\n');
            var read = ReadAsync(Encoding.UTF8.GetBytes(text), longest, piece).AsTask().GetAwaiter().GetResult();
            Assert.Equal(expected.Select(line => line.Length > longest ? "<too long>" : line), read);
        });

    private static async ValueTask<IReadOnlyList<string>> ReadAsync(byte[] bytes, int longest, int piece)
    {
        List<string> lines = [];
        await using LineReader reader = new(new Pieces(bytes, piece), longest);
        while (await reader.ReadAsync(default))
        {
            lines.Add(reader.IsTooLong ? "<too long>" : Encoding.UTF8.GetString(reader.Line.Span));
            Assert.Equal(lines.Count, reader.Number);
        }

        Assert.False(await reader.ReadAsync(default));
        return lines;
    }

    /// <summary>Gives at most so many bytes at a time.</summary>
    private sealed class Pieces(byte[] bytes, int piece) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, piece)], cancellationToken);
    }
}
