using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using R1Serverless.Constraints.Tokens;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>A byte-level tokenizer's vocabulary, from its tokenizer.json.</summary>
internal static class MaskVocabulary
{
    private static readonly ConditionalWeakTable<TokenTrie, Dictionary<string, int>> Tokens = [];

    public static TokenTrie Read(string path)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        var bytes = new Dictionary<char, byte>();
        for (int value = 0, next = 256; value < 256; value++)
        {
            var isShown = value is >= 33 and <= 126 or >= 161 and <= 172 or >= 174 and <= 255;
            bytes[isShown ? (char)value : (char)next++] = (byte)value;
        }
        var vocabulary = document.RootElement.GetProperty("model").GetProperty("vocab").EnumerateObject()
            .ToDictionary(one => one.Value.GetInt32(), one => one.Name);
        var list = new byte[]?[Math.Max(151_936, vocabulary.Keys.Max() + 1)];
        foreach (var (token, text) in vocabulary)
            list[token] = [.. text.Select(one => bytes[one])];
        var trie = new TokenTrie(list);
        var byText = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (token, _) in vocabulary)
            byText[Encoding.Latin1.GetString(list[token]!)] = token;
        Tokens.Add(trie, byText);
        return trie;
    }

    /// <summary>The longest token that a text begins with.</summary>
    public static int Longest(TokenTrie trie, ReadOnlySpan<byte> text)
    {
        Tokens.TryGetValue(trie, out var known);
        var start = Encoding.Latin1.GetString(text[..Math.Min(text.Length, 32)]);
        for (var length = start.Length; length > 0; length--)
        {
            if (known!.TryGetValue(start[..length], out var token))
                return token;
        }
        throw new InvalidOperationException("The vocabulary lacks a byte.");
    }
}
