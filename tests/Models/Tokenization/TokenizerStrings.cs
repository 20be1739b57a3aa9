using System.Text;

namespace R1Serverless.Tests.Models.Tokenization;

/// <summary>Texts on which tokenizers tend to differ: a list by hand, and the rest drawn from the scripts with a fixed seed.</summary>
internal static class TokenizerStrings
{
    private const int Count = 6230;

    /// <summary>Characters assigned for many Unicode versions, so that every library agrees on their categories.</summary>
    private static readonly string[] Pools =
    [
        Range('a', 26), Range('A', 26), Range('0', 10), "äöüßéèñçøåœšžłđÄÖÜÉÑ", Range('α', 25), Range('а', 32), Range('א', 27), Range('ب', 20),
            "ًٌٍَُِّْ",
        Range('क', 30) + "ािीुूेैोौ्ंः", Range('অ', 8) + Range('ক', 20) + "ািীুে্", "கஙசஞடணதநபமயரலவழாிீுூெே்", Range('ก', 40) + "ะัาิีุู็่้",
            "ကခဂဃငစဆဇ္်ာိီုူ",
        Range('ა', 33), Range('Ա', 38), Range('አ', 40), Range('ខ', 20) + "ាិីឹឺុ", Range('가', 200), Range('あ', 80), Range('ア', 80), Range('一', 600),
            Range('々', 1) + "〆〇",
        "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "๐๑๒๓๔๕๖๗๘๙", "０１２３４５６７８９", "½⅓¾²³¹ⅣⅫ①②⑩㉑", "𝟎𝟏𝟚𝟛𝟜", "𐒠𐒡𐒢", "𝐀𝐁𝐜𝐝𝓔𝔉𝕘", "𐐀𐐁𐐨𐐩", "𠀀𠀁𠮷𡃁",
            "𐎀𐎁𐎂", "😀😁🤖👍🏽👩‍🚀🏳️‍🌈🇩🇪❤️✨", "̧̣̀́̂̃̈",
        " ", " ", " ", "  ", "\t", "\n", "\r\n", "\u00A0", "\u3000", "\u2003", "\u200B\u200D\u2060", "\u0001\u0007\u001B\u007F", ".,;:!?",
            "'\"`´’“”«»", "-–—_/\\|", "()[]{}<>",
        "+−×÷=≠≤≥∑∫√", "$€£¥₹₿", "#@&%*^~", "、。！？「」（）", "←↑→↓■□▲●☆♠♪", "\uE000\uE123", "\uFFFD",
    ];

    private static readonly string[] ByHand =
    [
        "", " ", "  ", "   a", "a   ", "a  b   c    d", "\n", "\n\n", "\r\n\r\n", " \n ", "\t\t\tx", "x \n\n  y", " \t \n \r\n  ", "a\u00A0b",
            "全角　空白", "\u2028line\u2029paragraph",
        "Hello, world!", "hello world", "HELLO WORLD", "HelloWorld camelCase snake_case kebab-case", "I'm you're he'll she'd we've it's",
            "I'M YOU'RE", "'s 't 're", "don’t", "o'clock 'quoted'",
        "1", "12", "123", "1234", "12345678901234567890", "3.14159", "1,000,000.00", "1e-10", "0xDEADBEEF", "2026-11-23T20:14:00Z", "9.11 or 9.9?",
            "50%", "$19.99", "+49 (0)30 1234-5678", "1/2 ½ ⅔",
        "٠١٢٣٤٥٦٧٨٩", "१२३४५६७८९०", "１２３４５", "Ⅷ Ⅻ ⅷ", "①②③", "x²+y³=z¹", "𝟏𝟐𝟑𝟒", "12٣٤56", "a1b2c3", "v1.2.3-rc.4+build5", "H₂O CO₂",
        "你好，世界！", "请问9.11和9.9哪个大？", "我有3个苹果，又买了5个，一共有几个？", "日本語のテキストです。カタカナとひらがな", "한국어 텍스트입니다.", "中文English混排123", "々〆〇", "龥龦龧", "㐀䶵", "𠀀𠀁𠮷野家",
            "ㄅㄆㄇ", "ﾊﾝｶｸ",
        "Привет, мир!", "Γειά σου Κόσμε", "שלום עולם", "שָׁלוֹם", "مرحبا بالعالم", "مُحَمَّد", "नमस्ते दुनिया", "ক্ষুদ্র", "தமிழ் மொழி",
            "สวัสดีชาวโลก", "မြန်မာဘာသာ", "ខ្មែរ", "გამარჯობა", "Բարեւ", "ሰላም", "Tiếng Việt có dấu", "Ünïcödé",
        "e\u0301 vs é", "n\u0303 a\u0308 o\u0302\u0323", "Z\u0351\u036B\u0343a\u0328\u034Al\u034Dg\u0321o", "\u0301", " \u0301", "1\u0301",
            "\u0301\u0301\u0301", "क\u094D\u200Dष", "i̇ İ ı",
        "😀", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇯🇵", "❤️ ♥ ☕️", "🤖 beep 🤖", "😀😀😀😀😀", "text😀text", " 😀 ", "1️⃣2️⃣", "🧑🏿‍🦱",
        "𝐇𝐞𝐥𝐥𝐨 𝓦𝓸𝓻𝓵𝓭", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝕞𝕒𝕥𝕙", "𐐀𐐨 Deseret", "𒀀𒀁", "𓀀𓁀", "𝄞𝄢", "a𝐀b", "𝐀1", "𐎠𐎡 𐎢",
            "中𑀀文", "中𐅀文一𑁇", "\U000E0041\U000E007F",
            "\U000F0000",
        "\u0000", "\u0001\u0002", "a\u0007b", "\u001B[31mred\u001B[0m", "\u007F", "\u200B\u200C\u200D", "a\u00ADb", "\u202Ertl\u202C", "\uFFFD",
            "\uE000",
        "def f(x):\n    return x ** 2\n", "for (int i = 0; i < n; ++i) {\n\ta[i] = b[i];\n}", "<div class=\"a\">&nbsp;</div>",
            "SELECT * FROM t WHERE a='b';", "{\"key\": [1, 2, null]}", "https://example.com/a?b=c&d=%20#e", "me@example.com",
        "#include <stdio.h>", "C:\\Users\\x\\file.txt", "/usr/local/bin", "git commit -m \"fix: it\"", "x = y if z else w  # comment",
            "```python\nprint('hi')\n```", "| a | b |\n|---|---|\n| 1 | 2 |", "\\frac{1}{2} \\sum_{i=0}^{n} x_i", "a->b a=>b a::b a!=b a==b",
        "...", "…", "!!!???", "-----", "=====", "_____", "***", "()", "([{}])", "«»„“", "—–-", "¿Qué? ¡Sí!", "@#$%^&*", "~`|\\", "<>&\"'", ".hidden",
            "!important", "(word", "\"word\"", "-flag --option=value", "#tag @user",
        "< think>", "<thi nk>", "<|not a token|>", "<｜not｜>", "｜▁", "Ġ Ċ ĉ", "âĢĻ", "▁the▁",
        "Supercalifragilisticexpialidocious", "Donaudampfschifffahrtsgesellschaftskapitän", "antidisestablishmentarianism's",
        new('a', 3000), new(' ', 3000), new('\n', 1000), new('7', 1000), new('!', 1000), new('中', 1000), string.Concat(Enumerable.Repeat("😀", 500)),
            string.Concat(Enumerable.Repeat("ab ", 1000)),
        string.Concat(Enumerable.Repeat("a1 ", 1000)), string.Concat(Enumerable.Repeat("\u0301", 500)), new string(' ', 500) + "x",
            "x" + new string('\t', 500), string.Concat(Enumerable.Repeat("\r\n", 300)),
        string.Concat(Enumerable.Repeat("the quick brown fox jumps over the lazy dog. ", 100)), string.Concat(Enumerable.Repeat("快速的棕色狐狸跳过懒狗。", 100)),
    ];

    public static IReadOnlyList<string> All { get; } = [.. ByHand, .. Draw()];

    private static string Range(char first, int count) => string.Concat(Enumerable.Range(first, count).Select(c => (char)c));

    private static IEnumerable<string> Draw()
    {
        var random = new Random(20261123);
        for (var i = ByHand.Length; i < Count; i++)
        {
            var text = new StringBuilder();
            var words = random.Next(1, 12);
            for (var word = 0; word < words; word++)
            {
                var runes = Pools[random.Next(Pools.Length)].EnumerateRunes().ToArray();
                var length = random.Next(1, 7);
                for (var c = 0; c < length; c++)
                {
                    text.Append(runes[random.Next(runes.Length)].ToString());
                }

                text.Append(random.Next(3) == 0 ? " " : string.Empty);
            }

            yield return text.ToString();
        }
    }
}
