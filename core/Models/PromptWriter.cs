using System.Text;

namespace R1Serverless.Models;

/// <summary>Puts a prompt together: control tokens by id, and texts that cannot hold any. Texts that touch are encoded as one.</summary>
internal sealed class PromptWriter(ITokenizer tokenizer)
{
    private readonly List<int> _ids = [];
    private readonly StringBuilder _text = new();

    public PromptWriter Text(string text)
    {
        _text.Append(text);
        return this;
    }

    /// <summary>Nothing where the model has no such token.</summary>
    public PromptWriter Token(int? id)
    {
        if (id is { } token)
        {
            EncodeText();
            _ids.Add(token);
        }

        return this;
    }

    public IReadOnlyList<int> End()
    {
        EncodeText();
        return _ids;
    }

    private void EncodeText()
    {
        if (_text.Length > 0)
        {
            _ids.AddRange(tokenizer.Encode(_text.ToString(), recogniseAdded: false));
            _text.Clear();
        }
    }
}
