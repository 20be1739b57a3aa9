using R1Serverless.Requests;

namespace R1Serverless.Models;

/// <summary>
/// A model's prompt form: DeepSeek-R1's, ChatML (Qwen) or Llama 3's, told by the control tokens that its tokenizer has. Control tokens are written by
/// id and messages as plain text, so no message can forge one.
/// </summary>
public sealed class ChatTemplate
{
    private const string EndOfThinking = "</think>";

    private readonly Action<PromptWriter, IReadOnlyList<ChatMessage>>? _write;

    private ChatTemplate(ITokenizer tokenizer)
    {
        Think = tokenizer.AddedToken("<think>");
        EndThink = tokenizer.AddedToken(EndOfThinking);
        if (tokenizer.AddedToken("<｜User｜>") is { } user && tokenizer.AddedToken("<｜Assistant｜>") is { } assistant)
        {
            BeginOfSequence = tokenizer.AddedToken("<｜begin▁of▁sentence｜>");
            EndOfSequence = tokenizer.AddedToken("<｜end▁of▁sentence｜>");
            OpensReasoning = Think is not null;
            _write = (prompt, messages) => WriteDeepSeek(prompt, messages, user, assistant);
        }
        else if (tokenizer.AddedToken("<|im_start|>") is { } start && tokenizer.AddedToken("<|im_end|>") is { } end)
        {
            EndOfSequence = end;
            _write = (prompt, messages) => WriteChatMl(prompt, messages, start, end);
        }
        else if (tokenizer.AddedToken("<|start_header_id|>") is { } header && tokenizer.AddedToken("<|end_header_id|>") is { } endHeader &&
            tokenizer.AddedToken("<|eot_id|>") is { } endOfTurn)
        {
            BeginOfSequence = tokenizer.AddedToken("<|begin_of_text|>");
            EndOfSequence = endOfTurn;
            _write = (prompt, messages) => WriteLlama(prompt, messages, header, endHeader, endOfTurn);
        }
        else
        {
            BeginOfSequence = tokenizer.AddedToken("<|begin_of_text|>") ?? tokenizer.AddedToken("<s>");
            EndOfSequence = tokenizer.AddedToken("<|endoftext|>") ?? tokenizer.AddedToken("<|end_of_text|>") ?? tokenizer.AddedToken("</s>");
            Refusal = new InferenceError(InferenceErrorKind.InvalidRequest, "This model has no chat template; use /v1/completions.", "messages");
        }
    }

    /// <summary>Why the model cannot chat; null where it can.</summary>
    public InferenceError? Refusal { get; }

    /// <summary>Whether the prompt ends inside the reasoning, so that the model's first token is already part of it.</summary>
    public bool OpensReasoning { get; }

    /// <summary>The id of <c>&lt;think&gt;</c>, where the model has it.</summary>
    public int? Think { get; }

    /// <summary>The id of <c>&lt;/think&gt;</c>, where the model has it.</summary>
    public int? EndThink { get; }

    /// <summary>The token a sequence begins with, where the model has one.</summary>
    public int? BeginOfSequence { get; }

    /// <summary>The token that ends an answer, where the tokenizer names one; generation_config.json may name more.</summary>
    public int? EndOfSequence { get; }

    /// <summary>The template of the model that this tokenizer belongs to.</summary>
    public static ChatTemplate For(ITokenizer tokenizer) => new(tokenizer);

    /// <summary>The ids of a conversation, ending where the assistant's next message begins. Reasoning in earlier answers is left out.</summary>
    /// <exception cref="InvalidOperationException">The model cannot chat; see <see cref="Refusal"/>.</exception>
    public IReadOnlyList<int> Render(IReadOnlyList<ChatMessage> messages, ITokenizer tokenizer)
    {
        if (_write is null)
        {
            throw new InvalidOperationException(Refusal!.Message);
        }

        var prompt = new PromptWriter(tokenizer);
        _write(prompt.Token(BeginOfSequence), messages);
        return prompt.End();
    }

    private void WriteDeepSeek(PromptWriter prompt, IReadOnlyList<ChatMessage> messages, int user, int assistant)
    {
        // System messages come first wherever they stood, as in DeepSeek's own template.
        prompt.Text(string.Join("\n\n", messages.Where(m => m.Role == ChatRole.System).Select(m => m.Content)));
        foreach (var message in messages.Where(m => m.Role != ChatRole.System))
        {
            if (message.Role == ChatRole.User)
            {
                prompt.Token(user).Text(message.Content);
            }
            else
            {
                prompt.Token(assistant).Text(Kept(message)).Token(EndOfSequence);
            }
        }

        prompt.Token(assistant);
        if (OpensReasoning)
        {
            prompt.Token(Think).Text("\n");
        }
    }

    private static void WriteChatMl(PromptWriter prompt, IReadOnlyList<ChatMessage> messages, int start, int end)
    {
        foreach (var message in messages)
        {
            prompt.Token(start).Text(Role(message) + "\n" + Kept(message)).Token(end).Text("\n");
        }

        prompt.Token(start).Text("assistant\n");
    }

    private static void WriteLlama(PromptWriter prompt, IReadOnlyList<ChatMessage> messages, int header, int endHeader, int endOfTurn)
    {
        foreach (var message in messages)
        {
            prompt.Token(header).Text(Role(message)).Token(endHeader).Text("\n\n" + Kept(message).Trim()).Token(endOfTurn);
        }

        prompt.Token(header).Text("assistant").Token(endHeader).Text("\n\n");
    }

    private static string Role(ChatMessage message) => message.Role switch
    {
        ChatRole.System => "system",
        ChatRole.User => "user",
        _ => "assistant",
    };

    /// <summary>What stays of a message in later prompts: all of it, but of an assistant's what follows the last end of reasoning.</summary>
    private static string Kept(ChatMessage message)
    {
        var reasoned = message.Role == ChatRole.Assistant ? message.Content.LastIndexOf(EndOfThinking, StringComparison.Ordinal) : -1;
        return reasoned < 0 ? message.Content : message.Content[(reasoned + EndOfThinking.Length)..];
    }
}
