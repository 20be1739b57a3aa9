using System.Buffers;
using System.Globalization;
using System.Text;

namespace R1Serverless.Models.Tokenization;

/// <summary>The bytes that each token of a vocabulary stands for.</summary>
internal sealed class TokenBytes
{
    /// <summary>SentencePiece's character for a space.</summary>
    public const char Space = '\u2581';

    private readonly TokenSpelling _spelling;
    private readonly byte[] _bytes;

    /// <summary>Where each token's bytes end.</summary>
    private readonly int[] _ends;

    /// <summary>The tokens of single bytes among SentencePiece's, which a character may be too.</summary>
    private readonly HashSet<int> _byteTokens = [];

    public TokenBytes(TokenizerFile file)
    {
        _spelling = file.Spelling;
        var size = 1 + Math.Max(file.Vocabulary.Values.DefaultIfEmpty(-1).Max(), file.AddedTokens.Select(t => t.Id).DefaultIfEmpty(-1).Max());
        var texts = new string?[size];
        foreach (var (token, id) in file.Vocabulary)
            texts[id] = token;

        var added = new Dictionary<int, AddedToken>();
        foreach (var token in file.AddedTokens)
            added[token.Id] = token;

        var isSentencePiece = _spelling == TokenSpelling.SentencePiece;
        var bytes = new ArrayBufferWriter<byte>(Math.Max(1, size * 8));
        _ends = new int[size];
        for (var id = 0; id < size; id++)
        {
            if (added.TryGetValue(id, out var token))
            {
                if (!token.Special) Encoding.UTF8.GetBytes(isSentencePiece ? Spaced(token.Content) : token.Content, bytes);
            }
            else if (texts[id] is not { } text || id == file.Unknown)
            {
                // No token, or one that stands for no text.
            }
            else if (_spelling == TokenSpelling.ByteLevel)
            {
                ByteAlphabet.Decode(text, bytes);
            }
            else if (!isSentencePiece)
            {
                Encoding.UTF8.GetBytes(text, bytes);
            }
            else if (ByteOf(text) is { } value)
            {
                bytes.Write([value]);
                _byteTokens.Add(id);
            }
            else
            {
                Encoding.UTF8.GetBytes(Spaced(text), bytes);
            }

            _ends[id] = bytes.WrittenCount;
        }

        _bytes = bytes.WrittenSpan.ToArray();
    }

    public int Count => _ends.Length;

    /// <summary>Empty for special tokens and unknown ids.</summary>
    public ReadOnlySpan<byte> Of(int id)
    {
        if ((uint)id >= (uint)_ends.Length)
            return [];

        var start = id == 0 ? 0 : _ends[id - 1];
        return _bytes.AsSpan(start, _ends[id] - start);
    }

    /// <summary>A token as the vocabulary writes it; empty where <see cref="Of"/> is.</summary>
    public string Spelled(int id)
    {
        var bytes = Of(id);
        return _spelling == TokenSpelling.ByteLevel ? ByteAlphabet.Encode(bytes)
            : _spelling == TokenSpelling.Plain ? Encoding.UTF8.GetString(bytes)
            : _byteTokens.Contains(id) ? ByteToken(bytes[0])
            : Encoding.UTF8.GetString(bytes).Replace(' ', Space);
    }

    /// <summary>How SentencePiece's vocabularies write a byte.</summary>
    public static string ByteToken(int value) => string.Create(CultureInfo.InvariantCulture, $"<0x{value:X2}>");

    /// <summary>The first byte without a token that a text may need one for; null where there is none. Gemma has none for a tab, which is a token
    /// itself.</summary>
    public static string? Lacking(IReadOnlyDictionary<string, int> vocabulary) => Enumerable.Range(0, 256)
        .Where(value => value > 0x7F || !vocabulary.ContainsKey(((char)value).ToString()))
        .Select(ByteToken).FirstOrDefault(token => !vocabulary.ContainsKey(token));

    private static byte? ByteOf(string token) =>
        token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
        && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) ? value : null;

    private static string Spaced(string token) => token.Replace(Space, ' ');
}
