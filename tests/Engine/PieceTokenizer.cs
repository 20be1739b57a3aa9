using System.Text;
using R1Serverless.Engine.Text;
using R1Serverless.Models.Templates;
using R1Serverless.Models.Text;

namespace R1Serverless.Tests.Engine;

/// <summary>A tokenizer whose tokens are given byte strings: token i stands for piece i. Two more ids stand for the reasoning tags.</summary>
internal sealed class PieceTokenizer(params byte[][] pieces) : ITokenizer
{
    public PieceTokenizer(params string[] pieces)
        : this([.. pieces.Select(Encoding.UTF8.GetBytes)])
    {
    }

    public int Open => pieces.Length;

    public int Close => pieces.Length + 1;

    public ReasoningTags Tags => new(Open, Close);

    public int VocabularySize => pieces.Length + 2;

    public IReadOnlyList<int> Encode(string text, bool recogniseAdded) => throw new NotSupportedException();

    public IReadOnlyList<int> Encode(MarkedText text) => throw new NotSupportedException();

    public int? AddedToken(string text) => text switch { "<think>" => Open, "</think>" => Close, _ => null };

    public ReadOnlySpan<byte> Bytes(int id) => id < pieces.Length ? pieces[id] : [];
}
