namespace R1Serverless.Models.Templates;

/// <summary>The tokens of a template, read one after the other.</summary>
internal sealed class TokenStream(IReadOnlyList<Token> tokens)
{
    private int _nesting;

    /// <summary>How many tokens are behind.</summary>
    public int Place { get; private set; }

    public Token Current => tokens[Place];

    /// <summary>The one after it; the end's own where that is the last.</summary>
    public Token Following => tokens[Math.Min(Place + 1, tokens.Count - 1)];

    public Token Next()
    {
        var token = Current;
        if (token.Kind != TokenKind.End)
            Place++;
        return token;
    }

    public bool IsOperator(string text) => Current.Is(TokenKind.Operator, text);

    public bool IsName(string text) => Current.Is(TokenKind.Name, text);

    public bool SkipOperator(string text) => Skip(TokenKind.Operator, text);

    public bool SkipName(string text) => Skip(TokenKind.Name, text);

    /// <exception cref="TemplateException">Something else comes.</exception>
    public void ExpectOperator(string text)
    {
        if (!SkipOperator(text))
            throw Fail($"'{text}' was expected, not {Current}.");
    }

    /// <exception cref="TemplateException">Something else comes.</exception>
    public string ExpectName() => Current.Kind == TokenKind.Name ? Next().Text : throw Fail($"A name was expected, not {Current}.");

    /// <exception cref="TemplateException">Something else comes.</exception>
    public void Expect(TokenKind kind, string text)
    {
        if (Next() is var token && token.Kind != kind)
            throw new TemplateException($"'{text}' was expected, not {token}.").Locate(token.At);
    }

    /// <summary>Whether a name stands among the tokens from <paramref name="start"/> to here.</summary>
    public bool HasName(string name, int start)
    {
        for (var place = start; place < Place; place++)
        {
            if (tokens[place].Is(TokenKind.Name, name))
                return true;
        }

        return false;
    }

    /// <summary>Parses something that may hold others of its kind.</summary>
    /// <exception cref="TemplateException">Too many are inside each other.</exception>
    public T Nest<T>(Func<T> parse)
    {
        if (++_nesting > RenderLimits.MaxNesting)
            throw Fail($"More than {RenderLimits.MaxNesting} expressions or blocks are inside each other.");
        var parsed = parse();
        _nesting--;
        return parsed;
    }

    public TemplateException Fail(string reason) => new TemplateException(reason).Locate(Current.At);

    private bool Skip(TokenKind kind, string text)
    {
        if (!Current.Is(kind, text))
            return false;
        Next();
        return true;
    }
}
