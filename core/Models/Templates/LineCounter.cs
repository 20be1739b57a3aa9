namespace R1Serverless.Models.Templates;

/// <summary>Tells lines and columns of a text. Fast where it is asked for places in their order. Not thread-safe.</summary>
internal sealed class LineCounter(string text)
{
    private int _line = 1;
    private int _lineStart;
    private int _counted;

    public TemplatePosition At(int offset)
    {
        if (offset < _counted)
            (_line, _lineStart, _counted) = (1, 0, 0);
        for (; _counted < offset; _counted++)
        {
            if (text[_counted] == '\n')
                (_line, _lineStart) = (_line + 1, _counted + 1);
        }

        return new TemplatePosition(_line, offset - _lineStart + 1);
    }
}
