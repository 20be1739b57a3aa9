namespace R1Serverless.Requests;

/// <summary>What the model is asked: a conversation, a raw text, or ready token ids.</summary>
public abstract record Prompt
{
    private Prompt()
    {
    }

    /// <summary>A conversation, oldest message first; the model's chat template turns it into text.</summary>
    public sealed record Chat(IReadOnlyList<ChatMessage> Messages) : Prompt;

    /// <summary>A text to continue, without a template.</summary>
    public sealed record Text(string Value) : Prompt;

    /// <summary>Token ids of the model's own vocabulary to continue.</summary>
    public sealed record Tokens(IReadOnlyList<int> Ids) : Prompt;
}

public enum ChatRole
{
    System,
    User,
    Assistant,
}

public sealed record ChatMessage(ChatRole Role, string Content);
