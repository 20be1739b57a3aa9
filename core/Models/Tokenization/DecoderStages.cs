using System.Text.Json;

namespace R1Serverless.Models.Tokenization;

/// <summary>The <c>decoder</c> of a tokenizer.json with SentencePiece's spelling.</summary>
internal static class DecoderStages
{
    /// <summary>How many spaces it drops at the beginning of a text. All else that it does is in the bytes of tokens (<see
    /// cref="TokenBytes"/>).</summary>
    /// <exception cref="UnsupportedTokenizerException">It does anything else.</exception>
    public static int LeadingSpaces(JsonElement? description)
    {
        if (description is not { } stage) return 0;
        switch (stage.Text("type"))
        {
            case "Sequence":
                return stage.GetProperty("decoders").EnumerateArray().Sum(inner => LeadingSpaces(inner));
            case "ByteFallback" or "Fuse":
            case "Replace" when stage.GetProperty("pattern").Text("String") == TokenBytes.Space.ToString() && stage.Text("content") == " ":
                return 0;
            case "Strip" when stage.Text("content") == " " && stage.GetProperty("stop").GetInt32() == 0:
                return stage.GetProperty("start").GetInt32();
            case "Metaspace":
                return stage.Text("prepend_scheme") == "never" || !stage.Flag("add_prefix_space", missing: true) ? 0 : 1;
            case var other:
                throw new UnsupportedTokenizerException($"The decoder of tokenizer.json has a stage '{other}' that is not supported; supported are "
                    + "Metaspace, ByteFallback, Fuse, Replace of U+2581 by a space, and Strip of spaces at the beginning.");
        }
    }
}
