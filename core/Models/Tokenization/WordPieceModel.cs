using System.Text;
using Microsoft.ML.Tokenizers;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// WordPiece (Wu et al. 2016, arXiv:1609.08144): the longest token that a word begins with, then the longest that goes on, and so on, by
/// <see cref="WordPieceTokenizer"/>. A word that can't be put together so, or is too long, is the unknown token.
/// </summary>
internal sealed class WordPieceModel : IPieceModel
{
    /// <summary>In the place of ids that no token has: no word has a zero in it.</summary>
    private const string Gap = "\0";

    /// <summary>100 is usual.</summary>
    private const int MaxLongestWord = 10_000;

    private readonly WordPieceTokenizer _model;
    private readonly int _unknown, _longestWord;

    public WordPieceModel(TokenizerFile file)
    {
        (_unknown, _longestWord) = (file.Unknown!.Value, file.LongestWord);
        if (_longestWord > MaxLongestWord)
            throw new UnsupportedTokenizerException(
                $"tokenizer.json looks words of {_longestWord} characters up in its vocabulary; at most {MaxLongestWord} are supported.");
        var lines = new string?[file.Vocabulary.Values.Max() + 1];
        foreach (var (token, id) in file.Vocabulary)
        {
            // It reads one token a line.
            lines[id] = token.AsSpan().IndexOfAny('\r', '\n') < 0 ? token
                : throw new UnsupportedTokenizerException($"The vocabulary of tokenizer.json has a line break in the token with the id {id}.");
        }

        using MemoryStream vocabulary = new(Encoding.UTF8.GetBytes(string.Join('\n', lines.Select((token, id) => token ?? $"{Gap}{id}"))));
        _model = WordPieceTokenizer.Create(vocabulary, new WordPieceOptions
        {
            UnknownToken = lines[_unknown]!, ContinuingSubwordPrefix = file.ContinuingPrefix!,
            // It counts UTF-16 units, at most two for a character, and has room for so many on its stack.
            MaxInputCharsPerWord = 2 * _longestWord,
        });
    }

    public void Append(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (IsTooLong(piece)) ids.Add(_unknown);
        else ids.AddRange(_model.EncodeToIds(piece, considerPreTokenization: false, considerNormalization: false));
    }

    public List<(int Id, int End)> Place(ReadOnlySpan<char> piece) => IsTooLong(piece) ? [(_unknown, piece.Length)]
        : [.. _model.EncodeToTokens(piece, out _, considerPreTokenization: false, considerNormalization: false)
            .Select(token => (token.Id, token.Offset.End.Value))];

    private bool IsTooLong(ReadOnlySpan<char> piece)
    {
        var characters = 0;
        foreach (var _ in piece.EnumerateRunes()) characters++;
        return characters > _longestWord;
    }
}
