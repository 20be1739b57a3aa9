using System.Buffers;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// Unigram (Kudo 2018, arXiv:1804.10959): the likeliest way to cut a piece into tokens. What the vocabulary lacks is the unknown token, one for all
/// of it that touches. Scores are added up as the reference adds them (tokenizers/src/models/unigram/model.rs), in double precision and from left to
/// right, and of equal ways the one is taken whose last token is longest: two tokens in either order are equal but for that rounding, where
/// Microsoft.ML.Tokenizers 2.0.1, in single precision, takes another.
/// </summary>
internal sealed class UnigramModel : IPieceModel
{
    /// <summary>How much less likely than the least likely token a character is that the vocabulary lacks: SentencePiece's
    /// kUnkPenalty.</summary>
    private const double UnknownPenalty = 10;

    private readonly TokenTrie _tokens;
    private readonly double[] _scores;
    private readonly double _unknownScore;
    private readonly int _unknown;

    public UnigramModel(TokenizerFile file)
    {
        (_tokens, _scores, _unknown) = (new TokenTrie(file.Vocabulary), [.. file.Scores!], file.Unknown!.Value);
        _unknownScore = _scores.Min() - UnknownPenalty;
    }

    public void Append(ReadOnlySpan<char> piece, List<int> ids)
    {
        foreach (var (id, _) in Place(piece)) ids.Add(id);
    }

    public List<(int Id, int End)> Place(ReadOnlySpan<char> piece)
    {
        List<(int Id, int End)> placed = [];
        var ways = ArrayPool<Way>.Shared.Rent(piece.Length + 1);
        Find(piece, ways.AsSpan(0, piece.Length + 1));
        for (var end = piece.Length; end > 0; end = ways[end].Start)
        {
            // From the end: the unknown token that was met before reaches as far as this one.
            if (ways[end].Id != _unknown || placed is not [.., { Id: var next }] || next != _unknown) placed.Add((ways[end].Id, end));
        }

        ArrayPool<Way>.Shared.Return(ways);
        placed.Reverse();
        return placed;
    }

    /// <summary>For each position the likeliest way to it.</summary>
    private void Find(ReadOnlySpan<char> piece, Span<Way> ways)
    {
        ways.Fill(new Way(double.NegativeInfinity, 0, TokenTrie.None));
        ways[0] = new Way(0, 0, TokenTrie.None);
        for (int start = 0, length; start < piece.Length; start += length)
        {
            length = char.IsHighSurrogate(piece[start]) ? 2 : 1;
            var score = ways[start].Score;
            var isKnown = false;
            var node = TokenTrie.Root;
            for (var end = start; end < piece.Length && (node = _tokens.Child(node, piece[end])) != TokenTrie.None;)
            {
                end++;
                if (_tokens.Id(node) is not TokenTrie.None and var id)
                {
                    Reach(ref ways[end], new Way(score + _scores[id], start, id));
                    isKnown |= end == start + length;
                }
            }

            if (!isKnown) Reach(ref ways[start + length], new Way(score + _unknownScore, start, _unknown));
        }
    }

    private static void Reach(ref Way best, Way way)
    {
        if (best.Id == TokenTrie.None || way.Score > best.Score) best = way;
    }

    /// <summary>A way to a position.</summary>
    /// <param name="Score">The logarithm of its probability.</param>
    /// <param name="Start">Where its last token begins.</param>
    /// <param name="Id">Of its last token; <see cref="TokenTrie.None"/> where there is no way yet.</param>
    private readonly record struct Way(double Score, int Start, int Id);
}
