using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Models.Text;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Engine.ModelHosting;

/// <summary>How a model reads and writes text. The same for all its variants, which share it.</summary>
internal abstract record ModelText
{
    /// <summary>Null for a model that takes no text.</summary>
    /// <exception cref="InvalidModelException">A decoder's tokenizer or chat template is damaged.</exception>
    /// <exception cref="UnsupportedTokenizerException">A decoder's tokenizer is of a kind that can't be loaded exactly.</exception>
    public static ModelText? Load(ModelFolder folder) =>
        folder.Manifest.Kind == ModelKind.Decoder ? DecoderText.Load(folder) : folder.Encoder is null ? null : EncoderText.Load(folder);
}

/// <summary>Of a decoder.</summary>
internal sealed record DecoderText(ITokenizer Tokenizer, ChatTemplate Template) : ModelText
{
    /// <exception cref="InvalidModelException">The tokenizer's file or the chat template's is damaged.</exception>
    /// <exception cref="UnsupportedTokenizerException">The tokenizer is of a kind that can't be loaded exactly.</exception>
    public static new DecoderText Load(ModelFolder folder)
    {
        var tokenizer = HuggingFaceTokenizer.Load(folder.TokenizerPath);
        return new DecoderText(tokenizer, ChatTemplate.Load(folder.Path, tokenizer));
    }
}

/// <summary>Of an encoder.</summary>
/// <param name="Tokenizer">Null where it can't be loaded exactly: then the model takes tensors only.</param>
/// <param name="Refusal">Why that is so, in words.</param>
internal sealed record EncoderText(EncoderTokenizer? Tokenizer, string? Refusal) : ModelText
{
    public static new EncoderText Load(ModelFolder folder)
    {
        try
        {
            return new EncoderText(EncoderTokenizer.Load(Path.Combine(folder.Path, folder.Encoder!.TokenizerFile)), null);
        }
        catch (InvalidModelException fault)
        {
            return new EncoderText(null, fault.Message);
        }
    }
}
