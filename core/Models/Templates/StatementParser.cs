namespace R1Serverless.Models.Templates;

/// <summary>Parses text, output and blocks.</summary>
internal sealed class StatementParser
{
    private readonly TokenStream _tokens;
    private readonly ExpressionParser _expressions;
    private readonly BlockParser _blocks;

    private StatementParser(TokenStream tokens)
    {
        _tokens = tokens;
        _expressions = new ExpressionParser(tokens);
        _blocks = new BlockParser(tokens, _expressions, this);
    }

    /// <exception cref="TemplateException">The template is malformed, or uses what is not supported.</exception>
    public static Block Parse(string template) => new StatementParser(new TokenStream(Lexer.Read(template))).ParseUntil("");

    /// <summary>Everything up to the name in a block of one of the given names; the whole template where none is given.</summary>
    /// <exception cref="TemplateException">There is no such block.</exception>
    public Block ParseUntil(string opened, params ReadOnlySpan<string> ends)
    {
        var at = _tokens.Current.At;
        List<Statement> statements = [];
        while (true)
        {
            var token = _tokens.Next();
            switch (token.Kind)
            {
                case TokenKind.End:
                    if (ends.IsEmpty)
                        return new Block(statements);
                    throw new TemplateException($"This '{opened}' block is not closed by '{ends[^1]}'.").Locate(at);
                case TokenKind.Data:
                    statements.Add(new TextStatement(token.At, token.Text));
                    break;
                case TokenKind.OutputBegin:
                    statements.Add(new OutputStatement(token.At, _expressions.ParseTuple()));
                    _tokens.Expect(TokenKind.OutputEnd, "}}");
                    break;
                default:
                    if (_tokens.Current.Kind == TokenKind.Name && ends.Contains(_tokens.Current.Text))
                        return new Block(statements);
                    statements.Add(_tokens.Nest(() => _blocks.Parse(token.At)));
                    break;
            }
        }
    }
}
