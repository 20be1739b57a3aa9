using System.Text;
using R1Serverless.Models;

namespace R1Serverless.Tests.Models;

/// <summary>A tokenizer whose text tokens are bytes (ids 0 to 255), followed by the given added tokens; it can spell ids out again.</summary>
internal sealed class SpelledTokenizer(params string[] added) : ITokenizer
{
    public int VocabularySize => 256 + added.Length;

    public IReadOnlyList<int> Encode(string text, bool recogniseAdded)
    {
        Assert.False(recogniseAdded, "A template must encode messages as plain text.");
        return [.. Encoding.UTF8.GetBytes(text).Select(b => (int)b)];
    }

    public int? AddedToken(string text) => Array.IndexOf(added, text) is >= 0 and var index ? 256 + index : null;

    public ReadOnlySpan<byte> Bytes(int id) => id < 256 ? new byte[] { (byte)id } : default;

    /// <summary>Control tokens as [name], text as it is.</summary>
    public string Spell(IReadOnlyList<int> ids)
    {
        var bytes = ids.SelectMany(id => id < 256 ? [(byte)id] : Encoding.UTF8.GetBytes("[" + added[id - 256].Trim('<', '>', '｜', '|') + "]"));
        return Encoding.UTF8.GetString([.. bytes]);
    }
}
