namespace R1Serverless.Models.Tokenization;

/// <summary>Turns a piece of the pre-tokenizer into tokens: tokenizer.json's <c>model</c>. Safe for several threads.</summary>
internal interface IPieceModel
{
    /// <summary>Appends the piece's ids.</summary>
    /// <param name="piece">Well-formed UTF-16.</param>
    /// <param name="ids">Where they are appended.</param>
    void Append(ReadOnlySpan<char> piece, List<int> ids);

    /// <summary>The same ids, each with the position in the piece, in UTF-16 units, that it reaches to. A character that is several tokens belongs to
    /// the last of them.</summary>
    List<(int Id, int End)> Place(ReadOnlySpan<char> piece);
}
