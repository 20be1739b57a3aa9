using R1Serverless.Abstractions;
using R1Serverless.Models.Templates;

namespace R1Serverless.Models.Text;

/// <summary>The form of a model whose folder has no template, told by its tokenizer's control tokens: DeepSeek-R1's, ChatML (Qwen) or Llama
/// 3's.</summary>
internal sealed class GuessedForm : IPromptForm
{
    private const string
        User = "<｜User｜>", Assistant = "<｜Assistant｜>", Begin = "<｜begin▁of▁sentence｜>", End = "<｜end▁of▁sentence｜>",
        TurnStart = "<|im_start|>", TurnEnd = "<|im_end|>",
        HeaderStart = "<|start_header_id|>", HeaderEnd = "<|end_header_id|>", EndOfMessage = "<|eot_id|>",
        BeginOfText = "<|begin_of_text|>";

    private readonly ITokenizer _tokenizer;
    private readonly Action<MarkedTextBuilder, IReadOnlyList<ChatMessage>>? _write;

    public GuessedForm(ITokenizer tokenizer)
    {
        _tokenizer = tokenizer;
        if (Has(User) && Has(Assistant))
        {
            BeginOfSequence = tokenizer.AddedToken(Begin);
            EndOfTurn = tokenizer.AddedToken(End);
            NamesReasoning = Has(ReasoningMarks.Open);
            _write = WriteDeepSeek;
        }
        else if (Has(TurnStart) && Has(TurnEnd))
        {
            // Llama 3's tokenizer, given ChatML's tokens, keeps its first token.
            BeginOfSequence = tokenizer.AddedToken(BeginOfText);
            EndOfTurn = tokenizer.AddedToken(TurnEnd);
            _write = WriteChatMl;
        }
        else if (Has(HeaderStart) && Has(HeaderEnd) && Has(EndOfMessage))
        {
            BeginOfSequence = tokenizer.AddedToken(BeginOfText);
            EndOfTurn = tokenizer.AddedToken(EndOfMessage);
            _write = WriteLlama;
        }
        else
        {
            BeginOfSequence = tokenizer.AddedToken(BeginOfText) ?? tokenizer.AddedToken("<s>");
            EndOfTurn = tokenizer.AddedToken("<|endoftext|>") ?? tokenizer.AddedToken("<|end_of_text|>") ?? tokenizer.AddedToken("</s>");
            Refusal = new InferenceError(InferenceErrorKind.InvalidRequest, "This model has no chat template; use /v1/completions.", "messages");
        }
    }

    public InferenceError? Refusal { get; }

    public int? EndOfTurn { get; }

    public bool NamesReasoning { get; }

    /// <summary>The token a sequence begins with, where the model has one.</summary>
    public int? BeginOfSequence { get; }

    public MarkedText Render(Prompt.Chat chat)
    {
        var prompt = new MarkedTextBuilder();
        _write!(prompt, chat.Messages);
        return prompt.End();
    }

    private void WriteDeepSeek(MarkedTextBuilder prompt, IReadOnlyList<ChatMessage> messages)
    {
        // System messages come first wherever they stood, as in DeepSeek's own template.
        var system = string.Join("\n\n", messages.Where(m => m.Role == ChatRole.System).Select(m => m.Content));
        prompt.Append(Known(Begin)).Append(MarkedText.OfUser(system));
        foreach (var message in messages.Where(m => m.Role != ChatRole.System))
        {
            if (message.Role == ChatRole.User) prompt.Append(User).Append(MarkedText.OfUser(message.Content));
            else prompt.Append(Assistant).Append(Kept(message)).Append(Known(End));
        }

        prompt.Append(Assistant);
        if (NamesReasoning)
            prompt.Append(ReasoningMarks.Open + "\n");
    }

    private void WriteChatMl(MarkedTextBuilder prompt, IReadOnlyList<ChatMessage> messages)
    {
        prompt.Append(Known(BeginOfText));
        foreach (var message in messages)
            prompt.Append($"{TurnStart}{Role(message)}\n").Append(Kept(message)).Append($"{TurnEnd}\n");
        prompt.Append($"{TurnStart}assistant\n");
    }

    private void WriteLlama(MarkedTextBuilder prompt, IReadOnlyList<ChatMessage> messages)
    {
        prompt.Append(Known(BeginOfText));
        foreach (var message in messages)
            prompt.Append($"{HeaderStart}{Role(message)}{HeaderEnd}\n\n").Append(Kept(message, isTrimmed: true)).Append(EndOfMessage);
        prompt.Append($"{HeaderStart}assistant{HeaderEnd}\n\n");
    }

    private static string Role(ChatMessage message) => message.Role switch
    {
        ChatRole.System => "system",
        ChatRole.User => "user",
        _ => "assistant",
    };

    /// <summary>What stays of a message in later prompts: all of it, but of an assistant's what follows the last end of reasoning.</summary>
    private static MarkedText Kept(ChatMessage message, bool isTrimmed = false)
    {
        var kept = message.Role == ChatRole.Assistant ? ReasoningMarks.AfterReasoning(message.Content) : message.Content;
        return MarkedText.OfUser(isTrimmed ? kept.Trim() : kept);
    }

    private bool Has(string token) => _tokenizer.AddedToken(token) is not null;

    /// <summary>A control token's text; nothing where the model has no such token.</summary>
    private string Known(string token) => Has(token) ? token : "";
}
