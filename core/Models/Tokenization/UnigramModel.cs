using Microsoft.ML.Tokenizers;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// Unigram (Kudo 2018, arXiv:1804.10959): the likeliest way to cut a piece into tokens, by <see cref="SentencePieceTokenizer"/>. What the vocabulary
/// lacks is the unknown token, one for all of it that touches.
/// </summary>
internal sealed class UnigramModel : IPieceModel
{
    private readonly SentencePieceTokenizer _model;
    private readonly int _unknown;

    public UnigramModel(TokenizerFile file)
    {
        using MemoryStream model = new(SentencePieceModel.OfUnigram(file));
        _model = SentencePieceTokenizer.Create(model, addBeginningOfSentence: false);
        _unknown = file.Unknown!.Value;
    }

    public void Append(ReadOnlySpan<char> piece, List<int> ids)
    {
        var first = ids.Count;
        foreach (var id in _model.EncodeToIds(piece, considerPreTokenization: false, considerNormalization: false))
        {
            if (id != _unknown || ids.Count == first || ids[^1] != _unknown) ids.Add(id);
        }
    }

    public List<(int Id, int End)> Place(ReadOnlySpan<char> piece)
    {
        List<(int Id, int End)> placed = [];
        foreach (var token in _model.EncodeToTokens(piece, out _, considerPreTokenization: false, considerNormalization: false))
        {
            if (token.Id == _unknown && placed is [.., { Id: var last }] && last == _unknown) placed.RemoveAt(placed.Count - 1);
            placed.Add((token.Id, token.Offset.End.Value));
        }

        return placed;
    }
}
