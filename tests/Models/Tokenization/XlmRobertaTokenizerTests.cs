using System.Text.Json;
using System.Text.Json.Nodes;
using R1Serverless.Abstractions;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

/// <summary>Encoders with a vocabulary that SentencePiece trained, such as XLM-RoBERTa, multilingual-e5, bge-m3 and T5's, against Hugging Face's own
/// library.</summary>
public sealed class XlmRobertaTokenizerTests : IDisposable
{
    private const string Newer =
        """
        {"type":"Sequence","normalizers":[{"type":"Precompiled","precompiled_charsmap":"MAP"},
          {"type":"Strip","strip_left":false,"strip_right":true},{"type":"Replace","pattern":{"Regex":" {2,}"},"content":"▁"}]}
        """;

    private const string Lowering =
        """
        {"type":"Sequence","normalizers":[{"type":"Replace","pattern":{"String":"``"},"content":"\""},{"type":"Lowercase"},
          {"type":"Strip","strip_left":true,"strip_right":true},{"type":"Precompiled","precompiled_charsmap":"MAP"},
          {"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "}]}
        """;

    private const string First = """{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":true}""";

    private static readonly string[] Special =
    [
        "<s>", "a <mask> b", "a  <mask>", "<mask>", " </s> a", "<unk>", "x<pad>y", "＜/s＞", "＜mask＞", "＜unk＞", "a ＜/s＞b", "▁",
            "▁a▁b ▁ c", "a▁", "\u0001a",
        "\u0001", "\u0001 a", "\u200Ba b", " a", "  a  b  ", "a\u00A0b", "a\u3000\u3000b", "a\u200Bb", "\u2028a\u0085b", "a\tb\r\nc", "ﬁ ﬁ\u0301 Å",
            "e\u0301 é",
        "q: how much protein should a female eat", "ℕ𝔸Ⅷ①", "ﾊﾟﾋﾟ", "１２３", "…", "㌔", "ﷺ", new('中', 200), new('x', 2000), "ﬀﬀﬀ",
    ];

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-xlm-roberta-").FullName;

    public static TheoryData<string, string, bool> Forms => new()
    {
        { SentencePieceJson.Mapped, SentencePieceJson.Words, false },
        { SentencePieceJson.Mapped, SentencePieceJson.Words, true },
        { Newer, SentencePieceJson.Metaspace, false },
        { Newer, SentencePieceJson.Words, false },
        { Newer, First, false },
        { Lowering, SentencePieceJson.Metaspace, true },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public void Ids_are_the_references(string normalizer, string preTokenizer, bool normalizesMask)
    {
        var (pieces, map) = TrainedUnigram.By("nmt_nfkc");
        AssertSame(SentencePieceJson.XlmRoberta(pieces, map, normalizer, preTokenizer, normalizesMask),
            [.. TokenizerStrings.All.Concat(Special).Concat(Words(pieces)).Select(text => new[] { text }), ["a b", "c"], ["", "ﬁ"]]);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Of the vocabulary's own pieces, so that there are many ways to cut them.</summary>
    private static IEnumerable<string> Words(IReadOnlyList<(string Text, double Score)> pieces)
    {
        var random = new Random(7);
        return Enumerable.Range(0, 5000).Select(_ => string.Concat(Enumerable.Range(0, random.Next(2, 12)).Select(
            _ => pieces[random.Next(pieces.Count)].Text.Replace('▁', ' '))));
    }

    private void AssertSame(JsonObject json, string[][] texts)
    {
        var path = Path.Combine(_folder, "tokenizer.json");
        File.WriteAllText(path, json.ToJsonString());
        var tokenizer = EncoderTokenizer.Load(path);
        var expected = NodeOracle.Answers<int[][], string[]>(texts, "encode.mjs", path);
        Assert.Equal(texts.Length, expected.Count);
        List<string> wrong = [];
        foreach (var (text, answer) in texts.Zip(expected))
        {
            var got = tokenizer.Around(tokenizer.Ids(text[0]), text.Length > 1 ? tokenizer.Ids(text[1]) : null, int.MaxValue, TextTruncation.None);
            if (!answer[0].SequenceEqual(got.Ids) || !answer[1].SequenceEqual(got.Types))
                wrong.Add($"{JsonSerializer.Serialize(text)}: {string.Join(' ', answer[0])} | {string.Join(' ', got.Ids)}");
        }

        Assert.True(wrong.Count == 0, $"{wrong.Count} of {texts.Length} differ:\n{string.Join('\n', wrong.Take(20))}");
    }
}
