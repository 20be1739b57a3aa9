using R1Serverless.Requests;

namespace R1Serverless.Generation;

/// <summary>A request's prompt as the model reads it.</summary>
/// <param name="Ids">At least one token, fewer than the context holds.</param>
/// <param name="OpensReasoning">Whether the prompt ends inside <c>&lt;think&gt;</c>, so that the completion begins with reasoning.</param>
internal sealed record PromptTokens(int[] Ids, bool OpensReasoning)
{
    /// <summary>The tokens; or null, and why the request can't be run.</summary>
    public static PromptTokens? Of(InferenceRequest request, LoadedVariant model, out InferenceError? error)
    {
        error = null;
        var prompt = request.Prompt switch
        {
            Prompt.Chat chat => Chat(chat, model, out error),
            Prompt.Text text => new PromptTokens(Raw(text.Value, model), false),
            Prompt.Tokens tokens => new PromptTokens([.. tokens.Ids], false),
            _ => throw new ArgumentOutOfRangeException(nameof(request)),
        };
        if (prompt is null) return null;
        error = Check(prompt.Ids, request, model);
        return error is null ? prompt : null;
    }

    private static PromptTokens? Chat(Prompt.Chat chat, LoadedVariant model, out InferenceError? error)
    {
        error = model.Template.Refusal;
        return error is null ? new PromptTokens([.. model.Template.Render(chat.Messages, model.Tokenizer)], model.Template.OpensReasoning) : null;
    }

    /// <summary>A raw text may hold control tokens: whoever writes it makes the whole prompt. Sequences of models that have a first token begin with it.</summary>
    private static int[] Raw(string text, LoadedVariant model)
    {
        var ids = model.Tokenizer.Encode(text, recogniseAdded: true);
        return model.Template.BeginOfSequence is { } begin && (ids.Count == 0 || ids[0] != begin) ? [begin, .. ids] : [.. ids];
    }

    private static InferenceError? Check(int[] ids, InferenceRequest request, LoadedVariant model)
    {
        var (config, limits) = (model.Folder.Config, model.Engine.Limits);
        var field = request.Prompt is Prompt.Chat ? "messages" : "prompt";
        if (ids.Length == 0) return new InferenceError(InferenceErrorKind.InvalidRequest, "The prompt is empty.", field);
        if (Array.FindIndex(ids, id => (uint)id >= (uint)config.VocabularySize) is var at and >= 0)
            return new InferenceError(InferenceErrorKind.InvalidRequest, $"{ids[at]} is no token of the model: they are 0 to {config.VocabularySize - 1}.", $"{field}[{at}]");
        if (ids.Length >= config.ContextLength)
        {
            return new InferenceError(
                InferenceErrorKind.ContextLengthExceeded,
                $"The model's context is {config.ContextLength} tokens, prompt and completion together; the prompt alone has {ids.Length}.",
                field);
        }

        if (ids.Length >= limits.MaxSlotLength)
            return new InferenceError(InferenceErrorKind.OutOfMemory, $"The prompt has {ids.Length} tokens; the worker's memory for keys and values holds {limits.KvTokens}.", field);
        return Sampler.Check(request.Sampling, config.VocabularySize);
    }
}
