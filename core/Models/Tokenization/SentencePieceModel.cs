using System.Text;

namespace R1Serverless.Models.Tokenization;

/// <summary>
/// Writes a vocabulary as SentencePiece's ModelProto (sentencepiece_model.proto), the one form that <see
/// cref="Microsoft.ML.Tokenizers.SentencePieceTokenizer"/> reads: a dozen fields, by hand.
/// </summary>
internal static class SentencePieceModel
{
    private const int Varint = 0, Bytes = 2, Fixed32 = 5;
    private const int UnigramType = 1;
    private const int NormalPiece = 1, UnknownPiece = 2, ControlPiece = 3;

    public static byte[] OfUnigram(TokenizerFile file)
    {
        var scores = file.Scores!;
        var texts = new string?[scores.Count];
        foreach (var (text, id) in file.Vocabulary) texts[id] = text;
        var unknown = file.Unknown!.Value;
        return Message(model =>
        {
            for (var id = 0; id < texts.Length; id++)
            {
                // Ids are places, so tokens that no text may become hold theirs as control pieces.
                var (text, score) = (texts[id] ?? string.Empty, scores[id]);
                var type = id == unknown ? UnknownPiece : texts[id] is null ? ControlPiece : NormalPiece;
                Write(model, field: 1, Message(piece =>
                {
                    Write(piece, field: 1, Encoding.UTF8.GetBytes(text));
                    piece.Write7BitEncodedInt((2 << 3) | Fixed32);
                    piece.Write(score);
                    Write(piece, field: 3, type);
                }));
            }

            Write(model, field: 2, Message(trainer =>
            {
                Write(trainer, field: 3, UnigramType);
                // The tokens around a text are not written by this model, but it wants ids for them.
                foreach (var field in (int[])[40, 41, 42]) Write(trainer, field, unknown);
            }));
            // The normalizer, which nobody asks for either.
            Write(model, field: 3, Array.Empty<byte>());
        });
    }

    private static byte[] Message(Action<BinaryWriter> write)
    {
        using MemoryStream bytes = new();
        using (BinaryWriter writer = new(bytes, Encoding.UTF8, leaveOpen: true)) write(writer);
        return bytes.ToArray();
    }

    private static void Write(BinaryWriter message, int field, int number)
    {
        message.Write7BitEncodedInt((field << 3) | Varint);
        message.Write7BitEncodedInt(number);
    }

    private static void Write(BinaryWriter message, int field, byte[] bytes)
    {
        message.Write7BitEncodedInt((field << 3) | Bytes);
        message.Write7BitEncodedInt(bytes.Length);
        message.Write(bytes);
    }
}
