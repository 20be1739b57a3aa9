using System.Buffers;

namespace R1Serverless.Models.Tokenization;

/// <summary>GPT-2's alphabet of byte-level BPE: each byte has a printable character, its own where it has one, else one from U+0100 on.</summary>
internal static class ByteAlphabet
{
    private const int Stretched = 256;

    private static readonly short[] ByteOfCharacter = Build();

    /// <summary>The characters that stand for bytes.</summary>
    public static string Encode(ReadOnlySpan<byte> bytes)
    {
        var characters = new char[bytes.Length];
        for (var i = 0; i < bytes.Length; i++) characters[i] = (char)Array.IndexOf(ByteOfCharacter, bytes[i]);
        return new string(characters);
    }

    /// <summary>Appends the bytes that a token of the vocabulary stands for; characters outside the alphabet give their own UTF-8.</summary>
    public static void Decode(string token, ArrayBufferWriter<byte> bytes)
    {
        var target = bytes.GetSpan(token.Length * 3);
        var written = 0;
        foreach (var rune in token.EnumerateRunes())
        {
            if (rune.Value < ByteOfCharacter.Length && ByteOfCharacter[rune.Value] >= 0)
            {
                target[written++] = (byte)ByteOfCharacter[rune.Value];
            }
            else
            {
                written += rune.EncodeToUtf8(target[written..]);
            }
        }

        bytes.Advance(written);
    }

    private static short[] Build()
    {
        var table = new short[Stretched * 2];
        Array.Fill(table, (short)-1);
        var next = Stretched;
        for (var value = 0; value < Stretched; value++)
        {
            var printable = value is >= 33 and <= 126 or >= 161 and <= 172 or >= 174;
            table[printable ? value : next++] = (short)value;
        }

        return table;
    }
}
