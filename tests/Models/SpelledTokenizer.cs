using System.Text;
using R1Serverless.Models.Templates;
using R1Serverless.Models.Text;

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

    public IReadOnlyList<int> Encode(MarkedText text)
    {
        List<int> ids = [];
        for (var at = 0; at < text.Length;)
        {
            var found = Array.FindIndex(added,
                one => string.CompareOrdinal(text.Text, at, one, 0, one.Length) == 0 && !text.Slice(at, at + one.Length).HasUserText);
            var end = found >= 0 ? at + added[found].Length : at + (char.IsHighSurrogate(text.Text[at]) ? 2 : 1);
            ids.AddRange(found >= 0 ? [256 + found] : Encode(text.Text[at..end], recogniseAdded: false));
            at = end;
        }

        return ids;
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
