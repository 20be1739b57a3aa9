using System.Runtime.InteropServices;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Models.Encoders;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Engine.Encoders;

/// <summary>The texts of a request as tokens: each to be run by itself, or with others of its length.</summary>
internal sealed record EncodedTexts(IReadOnlyList<EncodedText> Texts)
{
    /// <summary>The request field of the texts; one is named by its number behind it.</summary>
    private const string Field = "input";

    public int TokenCount => Texts.Sum(text => text.Ids.Length);

    /// <summary>Encodes the texts, or says which of them the model can't read.</summary>
    /// <param name="model">The name that clients know.</param>
    public static (EncodedTexts? Texts, InferenceError? Error) Of(
        Prompt.Texts prompt, EncoderSettings settings, EncoderTokenizer tokenizer, string model, CancellationToken cancellationToken)
    {
        if (prompt.Dimensions > settings.Dimensions)
            return (null, new InferenceError(InferenceErrorKind.InvalidRequest,
                $"'dimensions' must be at most {settings.Dimensions}, the numbers of a vector of '{model}'.", "dimensions"));
        List<EncodedText> texts = new(prompt.Inputs.Count);
        (string? Text, IReadOnlyList<int> Ids) before = (null, []);
        foreach (var input in prompt.Inputs)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (input.Image is not null) return Refused(texts.Count, $"'{model}' reads texts, and this is an image.");
            if (input.Pair is not null && !tokenizer.HasPairs)
                return Refused(texts.Count, $"'{model}' takes one text at a time: its tokenizer does not say how two are put together.");
            if (input.Tokens is { } tokens && Foreign(tokens, tokenizer) is { } foreign)
                return Refused(texts.Count, $"'{model}' has no token with the id {foreign}: token ids must be of its own vocabulary, 0 to "
                    + $"{tokenizer.VocabularySize - 1}.");
            // All pairs of a ranking have one query.
            if (input.Text != before.Text) before = (input.Text, tokenizer.Ids(settings.Prompt + input.Text));
            var text = Encode(input, before.Ids, settings, tokenizer, prompt.Truncation);
            if (text.Ids.Length == 0) return Refused(texts.Count, "The text has no token.");
            if (text.Ids.Length > settings.MaxLength)
                return (null, new InferenceError(InferenceErrorKind.ContextLengthExceeded,
                    $"The text has {text.Ids.Length} tokens, and '{model}' reads {settings.MaxLength} at most: send a shorter text, or "
                    + "\"truncate\": true.",
                    At(texts.Count)));
            texts.Add(text);
        }

        return (new EncodedTexts(texts), null);

        (EncodedTexts?, InferenceError?) Refused(int number, string message) =>
            (null, new InferenceError(InferenceErrorKind.InvalidRequest, message, At(number)));
    }

    /// <summary>The inputs of a graph for one text, in the graph's order.</summary>
    /// <param name="signature">Of the graph: <c>input_ids</c> and, where it takes them, <c>attention_mask</c>, <c>token_type_ids</c>,
    /// <c>position_ids</c>.</param>
    public static IReadOnlyList<Tensor> Inputs(EncodedText text, TensorSignature signature) => [.. signature.Inputs.Select(input =>
    {
        var values = input.Name switch
        {
            "input_ids" => text.Ids,
            "token_type_ids" => text.Types,
            "position_ids" => [.. Enumerable.Range(0, text.Ids.Length)],
            _ => [.. Enumerable.Repeat(1, text.Ids.Length)],
        };
        return new Tensor(input.Name, input.Type, [1, values.Length], input.Type == TensorType.Int32
            ? MemoryMarshal.AsBytes<int>(values).ToArray() : MemoryMarshal.AsBytes<long>([.. values.Select(value => (long)value)]).ToArray());
    })];

    private static EncodedText Encode(TextInput input, IReadOnlyList<int> first, EncoderSettings settings, EncoderTokenizer tokenizer,
        TextTruncation truncation)
    {
        if (input.Tokens is not { } tokens)
            return tokenizer.Around(first, input.Pair is { } pair ? tokenizer.Ids(pair) : null, settings.MaxLength, truncation);
        var count = truncation == TextTruncation.None ? tokens.Count : Math.Min(tokens.Count, settings.MaxLength);
        int[] kept = [.. truncation == TextTruncation.Left ? tokens.Skip(tokens.Count - count) : tokens.Take(count)];
        return new EncodedText(kept, new int[kept.Length]);
    }

    private static int? Foreign(IReadOnlyList<int> tokens, EncoderTokenizer tokenizer)
    {
        foreach (var id in tokens)
        {
            if (id < 0 || id >= tokenizer.VocabularySize) return id;
        }

        return null;
    }

    private static string At(int number) => $"{Field}[{number}]";
}
