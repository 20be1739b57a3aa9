using System.Text;

namespace R1Serverless.Models.Templates;

/// <summary>Joins marked texts. Not thread-safe.</summary>
internal sealed class MarkedTextBuilder
{
    private readonly StringBuilder _text = new();
    private readonly List<TextStretch> _user = [];

    public int Length => _text.Length;

    /// <exception cref="TemplateException">The text becomes too long.</exception>
    public MarkedTextBuilder Append(MarkedText text)
    {
        var begin = _text.Length;
        Append(text.Text);
        foreach (var stretch in text.UserStretches)
            Mark(begin + stretch.Start, begin + stretch.End);
        return this;
    }

    /// <summary>Appends a text of the template's author.</summary>
    /// <exception cref="TemplateException">The text becomes too long.</exception>
    public MarkedTextBuilder Append(string text)
    {
        RenderLimits.CheckLength((long)_text.Length + text.Length);
        _text.Append(text);
        return this;
    }

    public MarkedText End() => _text.Length == 0 ? MarkedText.Empty : new MarkedText(_text.ToString(), [.. _user]);

    private void Mark(int start, int end)
    {
        if (_user.Count > 0 && _user[^1].End == start) _user[^1] = _user[^1] with { End = end };
        else _user.Add(new TextStretch(start, end));
    }
}
