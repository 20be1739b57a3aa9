using System.Buffers;
using System.Text;

namespace R1Serverless.Constraints.Tokens;

/// <summary>
/// A vocabulary's tokens by their bytes, made once for a tokenizer. Tokens of plain text (characters that a JSON string holds as they
/// are) are kept apart: inside a string they are all allowed at once.
/// </summary>
public sealed class TokenTrie
{
    private const int LongestCounted = 128;

    private readonly byte[]?[] _tokens;
    private readonly uint[][] _plainByLength;

    /// <summary>Makes the trie.</summary>
    /// <param name="tokens">Each token's bytes by its id, parts of UTF-8 characters included; null for what is never text (end tokens).</param>
    public TokenTrie(IReadOnlyList<byte[]?> tokens)
    {
        _tokens = [.. tokens];
        Words = (_tokens.Length + 31) / 32;
        var lengths = _tokens.Select(PlainLength).ToArray();
        _plainByLength = new uint[LongestCounted + 1][];
        for (var length = 0; length <= LongestCounted; length++)
        {
            var mask = _plainByLength[length] = length == 0 ? new uint[Words] : [.. _plainByLength[length - 1]];
            for (var token = 0; token < lengths.Length; token++)
            {
                if (lengths[token] == length)
                    mask[token >> 5] |= 1u << token;
            }
        }
        LongestPlain = lengths.Where(length => length <= LongestCounted).Max();
        Plain = new TrieBranch(Sorted(token => lengths[token] is > 0 and <= LongestCounted));
        Other = new TrieBranch(Sorted(token => lengths[token] is < 0 or > LongestCounted));

        IEnumerable<(byte[], int)> Sorted(Func<int, bool> has) =>
            Enumerable.Range(0, _tokens.Length).Where(token => _tokens[token] is { Length: > 0 } && has(token))
                .Select(token => (_tokens[token]!, token));
    }

    /// <summary>How many tokens the vocabulary has.</summary>
    public int Count => _tokens.Length;

    /// <summary>How many words of 32 bits a mask has.</summary>
    public int Words { get; }

    /// <summary>The bytes of a token; empty for one that is never text.</summary>
    public ReadOnlySpan<byte> Bytes(int token) => _tokens[token];

    internal TrieBranch Plain { get; }

    internal TrieBranch Other { get; }

    /// <summary>The most characters that a plain token has.</summary>
    internal int LongestPlain { get; }

    /// <summary>The plain tokens of at most so many characters.</summary>
    internal uint[] PlainUpTo(int characters) => _plainByLength[Math.Min(characters, LongestCounted)];

    private static int PlainLength(byte[]? bytes)
    {
        if (bytes is null || bytes.Length == 0)
            return -1;
        var count = 0;
        for (ReadOnlySpan<byte> rest = bytes; rest.Length > 0; count++)
        {
            var status = Rune.DecodeFromUtf8(rest, out var rune, out var length);
            // The beginning of a character at a token's end counts as one: any character may follow from it.
            if (status == OperationStatus.NeedMoreData)
                return count + 1;
            if (status != OperationStatus.Done || rune.Value is < 32 or '"' or '\\')
                return -1;
            rest = rest[length..];
        }
        return count;
    }
}
