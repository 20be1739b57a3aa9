using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Models.Templates;

namespace R1Serverless.Models.Text;

/// <summary>The form that the model folder's own template gives, with the variables that Hugging Face's <c>apply_chat_template</c> passes.</summary>
internal sealed class JinjaForm : IPromptForm
{
    /// <summary>Longer than any control token.</summary>
    private const int LongestToken = 64;

    private readonly ChatTemplateFiles _files;
    private readonly JinjaTemplate _template;
    private readonly TimeProvider _time;

    /// <exception cref="TemplateException">The template is malformed, or uses what is not supported.</exception>
    public JinjaForm(ChatTemplateFiles files, ITokenizer tokenizer, TimeProvider time)
    {
        (_files, _time) = (files, time);
        _template = JinjaTemplate.Parse(files.Template!);
        NamesReasoning = ((string[])[ReasoningMarks.Open, ReasoningMarks.Close]).Any(tag => files.Template!.Contains(tag, StringComparison.Ordinal));
        EndOfTurn = FindEndOfTurn(tokenizer);
    }

    public InferenceError? Refusal => null;

    public int? EndOfTurn { get; }

    public bool NamesReasoning { get; }

    public MarkedText Render(Prompt.Chat chat)
    {
        Dictionary<string, Value> variables = new(StringComparer.Ordinal);
        if (chat.ReasoningEffort is { } effort)
            variables["reasoning_effort"] = StringValue.OfTemplate(effort);
        if (chat.ReasoningEffort == Prompt.Chat.NoReasoning)
            variables["enable_thinking"] = variables["thinking"] = BooleanValue.False;
        if (chat.TemplateArguments is { ValueKind: JsonValueKind.Object } arguments)
        {
            foreach (var argument in arguments.EnumerateObject())
                variables[argument.Name] = JsonValues.Of(argument.Value);
        }

        return Render(chat.Messages, variables, opensNext: true);
    }

    private MarkedText Render(IReadOnlyList<ChatMessage> messages, IReadOnlyDictionary<string, Value> arguments, bool opensNext)
    {
        // Later ones replace earlier ones: no argument can replace what the request itself says.
        KeyValuePair<string, Value>[] variables =
        [
            .. _files.Tokens,
            KeyValuePair.Create<string, Value>("documents", NoneValue.Instance),
            .. arguments,
            KeyValuePair.Create<string, Value>("tools", NoneValue.Instance),
            KeyValuePair.Create<string, Value>("messages", new ListValue([.. messages.Select(Message)])),
            KeyValuePair.Create<string, Value>("add_generation_prompt", BooleanValue.Of(opensNext)),
        ];
        return _template.Render(variables, _time);
    }

    private static DictionaryValue Message(ChatMessage message) => new(
    [
        KeyValuePair.Create<Value, Value>(StringValue.OfTemplate("role"), StringValue.OfTemplate(message.Role switch
        {
            ChatRole.System => "system",
            ChatRole.User => "user",
            _ => "assistant",
        })),
        KeyValuePair.Create<Value, Value>(StringValue.OfTemplate("content"), new StringValue(MarkedText.OfUser(message.Content))),
    ]);

    /// <summary>The control token that the template writes after an answer; null where it writes none, or none that the tokenizer has.</summary>
    private int? FindEndOfTurn(ITokenizer tokenizer)
    {
        MarkedText text;
        try
        {
            ChatMessage[] turn = [new(ChatRole.User, "?"), new(ChatRole.Assistant, "!")];
            text = Render(turn, new Dictionary<string, Value>(), opensNext: false);
        }
        catch (TemplateException)
        {
            // It may want other conversations; the end tokens of the model's configuration remain.
            return null;
        }

        if (text.UserStretches is not [.., var answer])
            return null;
        var after = text.Text[answer.End..].TrimStart();
        for (var length = Math.Min(after.Length, LongestToken); length > 0; length--)
        {
            if (tokenizer.AddedToken(after[..length]) is { } end)
                return end;
        }

        return null;
    }
}
