using R1Serverless.Models.Templates;

namespace R1Serverless.Models.Text;

/// <summary>The tags of reasoning as text, and what a prompt's end says of them.</summary>
public static class ReasoningMarks
{
    public const string Open = "<think>";

    public const string Close = "</think>";

    /// <summary>Whether the prompt ends inside the reasoning: the form has opened it, and nothing follows but white space. What a user wrote
    /// opens nothing.</summary>
    public static bool IsOpenedBy(MarkedText prompt) => Tail(prompt).TrimEnd().EndsWith(Open, StringComparison.Ordinal);

    /// <summary>The prompt with reasoning ended before it begins: its opened tag is closed, and a model that would open it gets a closed
    /// pair.</summary>
    /// <param name="prompt">A conversation, up to the assistant's next message.</param>
    /// <param name="mayOpen">Whether the model knows the tags.</param>
    internal static MarkedText Closed(MarkedText prompt, bool mayOpen)
    {
        var tail = Tail(prompt);
        if (IsOpenedBy(prompt))
            return prompt + MarkedText.OfTemplate($"{(tail.EndsWith('\n') ? "" : "\n")}\n{Close}\n\n");
        return mayOpen && !tail.Contains(Close, StringComparison.Ordinal) ? prompt + MarkedText.OfTemplate($"{Open}\n\n{Close}\n\n") : prompt;
    }

    /// <summary>What follows the last end of reasoning; all, where there is none.</summary>
    internal static string AfterReasoning(string content)
    {
        var end = content.LastIndexOf(Close, StringComparison.Ordinal);
        return end < 0 ? content : content[(end + Close.Length)..];
    }

    /// <summary>What the form itself writes at the end.</summary>
    private static ReadOnlySpan<char> Tail(MarkedText prompt) =>
        prompt.Text.AsSpan(prompt.UserStretches is [.., var last] ? last.End : 0);
}
