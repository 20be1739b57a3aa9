using R1Serverless.Abstractions;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Sampling;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Models.Templates;
using R1Serverless.Scheduling;

namespace R1Serverless.Engine.Inference;

/// <summary>A request's prompt as the model reads it.</summary>
/// <param name="Ids">At least one token, fewer than the context holds.</param>
/// <param name="OpensReasoning">Whether the prompt ends inside <c>&lt;think&gt;</c>, so that the completion begins with reasoning.</param>
internal sealed record PromptTokens(int[] Ids, bool OpensReasoning)
{
    /// <summary>The tokens, or why no variant of the model can run the request. Neither where <paramref name="text"/> is needed and not
    /// there.</summary>
    /// <param name="request">Asks the model of <paramref name="folder"/>.</param>
    /// <param name="folder">The model's.</param>
    /// <param name="text">Its tokenizer and template; null where they could not be read.</param>
    public static (PromptTokens? Tokens, InferenceError? Error) Of(InferenceRequest request, ModelFolder folder, DecoderText? text)
    {
        if (Sampler.Check(request.Sampling, folder.Config.VocabularySize) is { } refused) return (null, refused);
        if (text is null && request.Prompt is not Prompt.Tokens) return (null, null);
        if (request.Prompt is Prompt.Chat && text!.Template.Refusal is { } noTemplate) return (null, noTemplate);
        PromptTokens prompt;
        try
        {
            prompt = Render(request.Prompt, text);
        }
        catch (TemplateException fault)
        {
            var why = fault.IsRaised
                ? $"The model's chat template refuses the conversation: {fault.Reason}"
                : $"The model's chat template fails on the conversation: {fault.Message}";
            return (null, new InferenceError(InferenceErrorKind.InvalidRequest, why, Field(request)));
        }

        return Check(prompt.Ids, folder.Config, Field(request)) is { } error ? (null, error) : (prompt, null);
    }

    /// <summary>Why an engine has no room for the prompt; null where it has.</summary>
    public InferenceError? Check(SchedulerLimits limits, InferenceRequest request) => Ids.Length < limits.MaxSlotLength ? null : new InferenceError(
        InferenceErrorKind.OutOfMemory, $"The prompt has {Ids.Length} tokens; the worker's memory for keys and values holds {limits.KvTokens}.",
        Field(request));

    private static PromptTokens Render(Prompt prompt, DecoderText? text)
    {
        switch (prompt)
        {
            case Prompt.Chat chat:
                var rendered = text!.Template.Render(chat);
                return new PromptTokens([.. rendered.Ids], rendered.OpensReasoning);
            case Prompt.Text raw:
                return new PromptTokens(Raw(raw.Value, text!), false);
            case Prompt.Tokens tokens:
                return new PromptTokens([.. tokens.Ids], false);
            default:
                throw new ArgumentOutOfRangeException(nameof(prompt));
        }
    }

    private static string Field(InferenceRequest request) => request.Prompt is Prompt.Chat ? "messages" : "prompt";

    /// <summary>A raw text may hold control tokens: whoever writes it makes the whole prompt. Sequences of models that have a first token begin with
    /// it.</summary>
    private static int[] Raw(string raw, DecoderText text)
    {
        var ids = text.Tokenizer.Encode(raw, recogniseAdded: true);
        return text.Template.BeginOfSequence is { } begin && (ids.Count == 0 || ids[0] != begin) ? [begin, .. ids] : [.. ids];
    }

    private static InferenceError? Check(int[] ids, ModelConfig config, string field)
    {
        if (ids.Length == 0) return new InferenceError(InferenceErrorKind.InvalidRequest, "The prompt is empty.", field);
        if (Array.FindIndex(ids, id => (uint)id >= (uint)config.VocabularySize) is var at and >= 0)
            return new InferenceError(InferenceErrorKind.InvalidRequest,
                $"{ids[at]} is no token of the model: they are 0 to {config.VocabularySize - 1}.", $"{field}[{at}]");
        return ids.Length < config.ContextLength ? null : new InferenceError(
            InferenceErrorKind.ContextLengthExceeded,
            $"The model's context is {config.ContextLength} tokens, prompt and completion together; the prompt alone has {ids.Length}.",
            field);
    }
}
