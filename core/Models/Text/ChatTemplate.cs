using R1Serverless.Abstractions;
using R1Serverless.Models.Templates;

namespace R1Serverless.Models.Text;

/// <summary>
/// How a conversation becomes a model's prompt: by the Jinja template of its folder, else by a guess from the control tokens that its tokenizer has.
/// Control tokens come from the template alone: messages are encoded as plain text, so that no message can forge one. Safe for several threads.
/// </summary>
public sealed class ChatTemplate
{
    private readonly ITokenizer _tokenizer;

    /// <summary>Made when it is first asked for: a start doesn't wait for the template to be parsed.</summary>
    private readonly Lazy<IPromptForm> _form;

    private ChatTemplate(ITokenizer tokenizer, ChatTemplateFiles files, TimeProvider time)
    {
        _tokenizer = tokenizer;
        var guess = new GuessedForm(tokenizer);
        BeginOfSequence = guess.BeginOfSequence;
        _form = files.Template is null ? new Lazy<IPromptForm>(guess) : new Lazy<IPromptForm>(() => Parse(files, tokenizer, time));
    }

    /// <summary>Why the model cannot chat; null where it can.</summary>
    public InferenceError? Refusal => _form.Value.Refusal;

    /// <summary>The id of <c>&lt;think&gt;</c>, where the model has it.</summary>
    public int? Think => _tokenizer.AddedToken(ReasoningMarks.Open);

    /// <summary>The id of <c>&lt;/think&gt;</c>, where the model has it.</summary>
    public int? EndThink => _tokenizer.AddedToken(ReasoningMarks.Close);

    /// <summary>Whether the reasoning tags are plain text to this model: its template knows them, and its tokenizer has no tokens for both.</summary>
    public bool SpellsReasoning => (Think is null || EndThink is null) && _form.Value.NamesReasoning;

    /// <summary>The token a raw prompt begins with, where the model has one.</summary>
    public int? BeginOfSequence { get; }

    /// <summary>The token that ends a turn in this form, where it has one; generation_config.json may name more.</summary>
    public int? EndOfTurn => _form.Value.EndOfTurn;

    /// <summary>The template in a model's folder or a checkpoint, or a guess where there is none.</summary>
    /// <param name="folder">Its path.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="time">For templates that tell the date; the system's where null.</param>
    /// <exception cref="InvalidModelException">A file that may hold the template is damaged.</exception>
    public static ChatTemplate Load(string folder, ITokenizer tokenizer, TimeProvider? time = null) =>
        new(tokenizer, ChatTemplateFiles.Read(folder), time ?? TimeProvider.System);

    /// <summary>Reads the template in a checkpoint, where there is one: without it the form is guessed.</summary>
    /// <exception cref="InvalidModelException">A file that may hold the template is damaged, or the template can't be used.</exception>
    public static void Check(string folder)
    {
        if (ChatTemplateFiles.Read(folder).Template is not { } template)
            return;
        try
        {
            JinjaTemplate.Parse(template);
        }
        catch (TemplateException fault)
        {
            throw new InvalidModelException(
                $"{folder}: the chat template can't be used: {fault.Message} Mend it, or take it out to build the model without it.", fault);
        }
    }

    /// <summary>A guess for the model that this tokenizer belongs to.</summary>
    public static ChatTemplate For(ITokenizer tokenizer) => new(tokenizer, ChatTemplateFiles.None, TimeProvider.System);

    /// <summary>The tokens of a conversation, ending where the assistant's next message begins.</summary>
    /// <exception cref="InvalidOperationException">The model cannot chat; see <see cref="Refusal"/>.</exception>
    /// <exception cref="TemplateException">The template refuses the conversation, or fails on it.</exception>
    public ChatPrompt Render(Prompt.Chat chat)
    {
        if (Refusal is { } refusal)
            throw new InvalidOperationException(refusal.Message);
        var text = _form.Value.Render(chat);
        if (chat.ReasoningEffort == Prompt.Chat.NoReasoning)
            text = ReasoningMarks.Closed(text, mayOpen: SpellsReasoning || (Think is not null && EndThink is not null));
        return new ChatPrompt(_tokenizer.Encode(text), ReasoningMarks.IsOpenedBy(text));
    }

    private static IPromptForm Parse(ChatTemplateFiles files, ITokenizer tokenizer, TimeProvider time)
    {
        try
        {
            return new JinjaForm(files, tokenizer, time);
        }
        catch (TemplateException fault)
        {
            return new RefusingForm(fault);
        }
    }
}
