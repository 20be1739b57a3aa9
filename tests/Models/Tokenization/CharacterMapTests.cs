using System.Globalization;
using System.Text;
using System.Text.Json;
using R1Serverless.Models;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.Models.Tokenization;

/// <summary>SentencePiece's character maps against Hugging Face's own library: tokens that are bytes tell what a text became.</summary>
public sealed class CharacterMapTests : IDisposable
{
    private const int ChunkLength = 400;

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-character-map-").FullName;

    /// <summary>Bases of one to three bytes, mapped and not, that marks are put behind.</summary>
    private static readonly string[] Bases =
    [
        "a", "e", "ß", "é", "ſ", "が", "中", "ﬁ", "Ａ", "①", "½", "ﾊ", "க", "가", "\u1100",
        "\u200D", "👍", "\u0600", "\r",
    ];

    [Theory]
    [InlineData("nmt_nfkc")]
    [InlineData("nfkc_cf")]
    public void Every_character_becomes_what_the_reference_makes_of_it(string rule) => AssertSame(TrainedUnigram.By(rule).CharacterMap, Chunks(
        Enumerable.Range(0, 0x110000).Where(character => Rune.IsValid(character) && !IsUnassigned(character))
            .Select(character => new Rune(character).ToString())));

    [Theory]
    [InlineData("nmt_nfkc")]
    [InlineData("nfkc_cf")]
    public void Marks_and_mixtures_become_what_the_reference_makes_of_them(string rule) =>
        AssertSame(TrainedUnigram.By(rule).CharacterMap, [.. Chunks(Marked()), .. Mixtures(), .. TokenizerStrings.All]);

    /// <summary>Keys that begin with others, that end within a visible character, and replacements of any length.</summary>
    [Fact]
    public void A_made_map_is_read_as_the_reference_reads_it()
    {
        var random = new Random(3);
        string[] parts = ["a", "b", "\u0301", "\u0323", "é", "中", "\u200D", "가", "😀", "\uFE0F", "\r", "\n", " "];
        var map = new MadeCharacterMap([.. Enumerable.Range(0, 300).Select(_ => (Drawn(3), Drawn(4))), ("x", ""), ("xy", "z"), ("y\u0301", "ý")]);
        string[] alphabet = [.. parts, "x", "y"];
        AssertSame(map.ToString(), [.. Enumerable.Range(0, 3000).Select(_ => Text(alphabet, random.Next(12)))]);

        string Drawn(int longest) => Text(parts, random.Next(1, longest));

        string Text(string[] from, int length) => string.Concat(Enumerable.Range(0, length).Select(_ => from[random.Next(from.Length)]));
    }

    [Fact]
    public void What_is_cut_short_is_refused()
    {
        var whole = Made().ToBytes();
        Assert.Equal("axb", CharacterMap.Parse(Convert.ToBase64String(whole)).Apply("aéb"));
        // Each length would take long: the trie is mostly empty.
        for (var length = 0; length < whole.Length; length += length < 64 || length > whole.Length - 64 ? 1 : 61)
            AssertRefused(Convert.ToBase64String(whole.AsSpan(0, length)));
    }

    [Theory]
    [InlineData("not Base64!", "Base64")]
    [InlineData("AAAAAA==", "trie of 0")]
    [InlineData("AwAAAAAAAAA=", "trie of 3")]
    [InlineData("/////wAAAAA=", "trie of 4294967295")]
    public void What_is_no_map_is_refused_by_its_fault(string base64, string named) => AssertRefused(base64, named);

    [Fact]
    public void A_trie_that_leads_out_of_itself_or_in_a_circle_is_refused()
    {
        var map = Made();
        // The first of the three bytes of 中.
        int root = map.Children(0), unit = root ^ 0xE4;
        var sound = map[unit];
        map[unit] = 0xE4 | ((uint)(unit ^ root) << 10);
        AssertRefused(map.ToString(), "circle");
        map[unit] = 0xE4 | (1u << 9) | (0x1FFFFFu << 10);
        AssertRefused(map.ToString(), "out of its trie");
        map[0] = 0x1FFFFFu << 10;
        map[unit] = sound;
        AssertRefused(map.ToString(), "out of its trie");
    }

    [Theory]
    [InlineData(0x80000000u | 0x7FFFFFFF)]
    [InlineData(0x80000000u | 5000)]
    [InlineData(1u)]
    public void A_value_that_is_no_replacement_is_refused(uint value)
    {
        var map = Made();
        map[map.Children(map.Find("é"))] = value;
        AssertRefused(map.ToString(), "value");
    }

    [Fact]
    public void Half_a_character_is_no_replacement()
    {
        var map = Made();
        map[map.Children(map.Find("中"))]++;
        AssertRefused(map.ToString(), "value");
        var bytes = Made().ToBytes();
        bytes[^2] = 0xFF;
        AssertRefused(Convert.ToBase64String(bytes), "UTF-8");
    }

    /// <summary>Whatever a file holds, it is refused or applied.</summary>
    [Fact]
    public void Spoilt_bits_make_no_crash_and_no_endless_loop()
    {
        var random = new Random(23);
        var bytes = Made().ToBytes();
        int[] used = [.. Enumerable.Range(0, bytes.Length).Where(i => bytes[i] is not (0 or 0x80))];
        var applied = 0;
        for (var i = 0; i < 3000; i++)
        {
            var spoilt = (byte[])bytes.Clone();
            for (var flips = random.Next(1, 4); flips > 0; flips--) spoilt[used[random.Next(used.Length)]] ^= (byte)(1 << random.Next(8));
            try
            {
                CharacterMap.Parse(Convert.ToBase64String(spoilt)).Apply("aéb中ﬁ e\u0301 \r\n 中中 \u0000 😀");
                applied++;
            }
            catch (InvalidModelException)
            {
                // Refused.
            }
        }

        Assert.InRange(applied, 100, 2900);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Of planes without any character all but the first are left out, to save seconds.</summary>
    private static bool IsUnassigned(int character) => character is > 0x40000 and < 0xE0000;

    /// <summary>Each base with each character that may join it.</summary>
    private static IEnumerable<string> Marked() =>
        from mark in Enumerable.Range(0x80, 0x1FFFF).Append(0xE0061).Append(0xE0100).Where(Rune.IsValid).Select(character => new Rune(character))
        where Rune.GetUnicodeCategory(mark) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
            or UnicodeCategory.EnclosingMark or UnicodeCategory.Format or UnicodeCategory.ModifierSymbol
            || mark.Value is (>= 0x1100 and < 0x1200) or 0xFF9E or 0xFF9F or (>= 0xD7B0 and < 0xD800)
        from one in Bases
        select one + mark;

    private static IEnumerable<string> Mixtures()
    {
        var random = new Random(11);
        (int First, int Last)[] ranges =
        [
            (0, 0x7F), (0x80, 0x24F), (0x300, 0x36F), (0x900, 0x97F), (0xE00, 0xE7F), (0x1100, 0x11FF), (0x2000, 0x206F), (0x2460, 0x24FF),
            (0x3040, 0x30FF), (0x3200, 0x33FF), (0xAC00, 0xD7A3), (0xD800, 0xDFFF), (0xF900, 0xFFFF), (0x1D400, 0x1D7FF), (0x1F1E6, 0x1F1FF),
            (0x1F3FB, 0x1F3FF), (0x1F600, 0x1F64F), (0x200D, 0x200D), (0xFE0E, 0xFE0F), (0, 0x10FFFF),
        ];
        return Enumerable.Range(0, 6000).Select(_ => string.Concat(Enumerable.Range(0, random.Next(1, 16)).Select(_ =>
        {
            var (first, last) = ranges[random.Next(ranges.Length)];
            var character = random.Next(first, last + 1);
            return Rune.IsValid(character) ? new Rune(character).ToString() : ((char)character).ToString();
        })));
    }

    /// <summary>Many in one text; no character joins one beyond a line break, but the carriage return, which ends one chunk.</summary>
    private static IEnumerable<string> Chunks(IEnumerable<string> texts) => texts.Chunk(ChunkLength).Select(chunk => string.Join('\n', chunk));

    private static MadeCharacterMap Made() => new(("é", "x"), ("中", "国"), ("ﬁ", "fi"), ("e\u0301", "é"), ("\r", ""));

    private static void AssertRefused(string base64, string named = "precompiled_charsmap")
    {
        var fault = Assert.Throws<UnsupportedTokenizerException>(() => CharacterMap.Parse(base64));
        Assert.Contains("precompiled_charsmap", fault.Message, StringComparison.Ordinal);
        Assert.Contains(named, fault.Message, StringComparison.Ordinal);
    }

    private void AssertSame(string map, IEnumerable<string> texts)
    {
        var json = TokenizerJson.Create([], """{"type":"ByteLevel","add_prefix_space":false,"use_regex":false,"trim_offsets":true}""",
            SentencePieceJson.Mapped.Replace("MAP", map, StringComparison.Ordinal));
        json["version"] = "1.0";
        var path = Path.Combine(_folder, "tokenizer.json");
        File.WriteAllText(path, json.ToJsonString());
        var tokenizer = HuggingFaceTokenizer.Load(path);
        string[] all = [.. texts];
        var answers = NodeOracle.Answers<int[][]>(all, "encode.mjs", path);
        Assert.Equal(all.Length, answers.Count);
        List<string> wrong = [];
        foreach (var (text, answer) in all.Zip(answers))
        {
            var got = tokenizer.Encode(text, recogniseAdded: true);
            if (answer[0].SequenceEqual(got)) continue;
            string[] wanted = tokenizer.Decode(answer[0]).Split('\n', ' '), made = tokenizer.Decode(got).Split('\n', ' ');
            var at = wanted.Zip(made).TakeWhile(pair => pair.First == pair.Second).Count();
            wrong.Add($"{JsonSerializer.Serialize(text[..Math.Min(40, text.Length)])}: {at} "
                + $"{JsonSerializer.Serialize(wanted.ElementAtOrDefault(at))} | {JsonSerializer.Serialize(made.ElementAtOrDefault(at))}");
        }

        Assert.True(wrong.Count == 0, $"{wrong.Count} of {all.Length} differ:\n{string.Join('\n', wrong.Take(40))}");
    }
}
