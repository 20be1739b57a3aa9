using R1Serverless.Abstractions;

namespace R1Serverless.Commands;

/// <summary>Prints an answer as it comes. On a terminal the reasoning is dimmed; elsewhere it stands between <c>&lt;think&gt;</c> and
/// <c>&lt;/think&gt;</c>, so that a reader of the text can still tell the two apart.</summary>
/// <param name="output">Where the text goes.</param>
/// <param name="isTerminal">Whether it understands colours.</param>
internal sealed class ChatScreen(TextWriter output, bool isTerminal)
{
    private const string Dim = "\u001b[2m", Plain = "\u001b[0m";

    private DeltaKind? _last;

    public void Write(InferenceEvent.Delta delta)
    {
        if (delta.Kind != _last)
        {
            LeaveReasoning();
            if (delta.Kind == DeltaKind.Reasoning) output.Write(isTerminal ? Dim : "<think>\n");
            _last = delta.Kind;
        }

        output.Write(delta.Text);
        output.Flush();
    }

    /// <summary>Ends the answer, complete or not, and its line.</summary>
    public void End()
    {
        LeaveReasoning();
        if (_last == DeltaKind.Answer) output.WriteLine();
        _last = null;
        output.Flush();
    }

    /// <summary>Says something that is not of the model.</summary>
    public void Note(string text) => output.WriteLine(isTerminal ? $"{Dim}{text}{Plain}" : text);

    /// <summary>Asks for the next message.</summary>
    public void Invite()
    {
        if (!isTerminal) return;
        output.Write("> ");
        output.Flush();
    }

    private void LeaveReasoning()
    {
        if (_last == DeltaKind.Reasoning) output.Write(isTerminal ? $"{Plain}\n\n" : "\n</think>\n\n");
    }
}
