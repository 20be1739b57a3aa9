using R1Serverless.Models;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Generation;

/// <summary>How a model reads and writes text. The same for all its variants, which share it.</summary>
internal sealed record ModelText(ITokenizer Tokenizer, ChatTemplate Template)
{
    /// <exception cref="InvalidModelException">The tokenizer's file is damaged.</exception>
    /// <exception cref="UnsupportedTokenizerException">The tokenizer is of a kind that can't be loaded exactly.</exception>
    public static ModelText Load(ModelFolder folder)
    {
        var tokenizer = HuggingFaceTokenizer.Load(folder.TokenizerPath);
        return new ModelText(tokenizer, ChatTemplate.For(tokenizer));
    }
}
