using System.Text;
using R1Serverless.Models.Text;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// Turns one sequence's token ids into text as they come. A token may end inside a character: that part stays pending until a later token completes
/// it. Bytes that are no UTF-8 become U+FFFD. The pieces together are exactly what decoding all bytes at once gives. Not thread-safe.
/// </summary>
/// <param name="tokenizer">The model's.</param>
/// <param name="continues">The text goes on where another ends, so the spaces at its beginning stay: <see cref="ITokenizer.LeadingSpaces"/> are of
/// a text that stands alone.</param>
public sealed class IncrementalDecoder(ITokenizer tokenizer, bool continues = false)
{
    private const int StackCharacters = 256;

    private int _spacesToDrop = continues ? 0 : tokenizer.LeadingSpaces;

    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();

    /// <summary>The whole characters that this token completes; empty (and nothing allocated) where it completes none.</summary>
    public string Append(int id) => Decode(tokenizer.Bytes(id), flush: false);

    /// <summary>Ends the text: U+FFFD for an unfinished character, else empty. The decoder can then start anew.</summary>
    public string Flush() => Decode([], flush: true);

    private string Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        // Each byte gives at most one UTF-16 unit; what was pending, and the pair of a completed character, at most three more.
        var bound = bytes.Length + 3;
        var characters = bound <= StackCharacters ? stackalloc char[StackCharacters] : new char[bound];
        characters = characters[.._decoder.GetChars(bytes, characters, flush)];
        while (_spacesToDrop > 0 && characters.Length > 0)
        {
            if (characters[0] == ' ')
            {
                characters = characters[1..];
                _spacesToDrop--;
            }
            else
            {
                _spacesToDrop = 0;
            }
        }

        return characters.IsEmpty ? string.Empty : new string(characters);
    }
}
