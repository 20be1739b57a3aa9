namespace R1Serverless.Models.Templates;

/// <summary>Parses expressions, by Jinja's precedence: if, or, and, not, comparisons, + -, ~, * / // %, **, signs, what follows a value.</summary>
internal sealed class ExpressionParser
{
    private static readonly string[] Comparisons = ["==", "!=", "<", "<=", ">", ">="];

    private readonly TokenStream _tokens;
    private readonly OperandParser _operands;

    public ExpressionParser(TokenStream tokens)
    {
        _tokens = tokens;
        _operands = new OperandParser(tokens, this);
    }

    /// <param name="withCondition">Whether <c>a if b else c</c> may stand here.</param>
    /// <exception cref="TemplateException">There is no expression here.</exception>
    public Expression Parse(bool withCondition = true) => _tokens.Nest<Expression>(withCondition ? ParseConditional : ParseOr);

    /// <summary>One expression, or several with commas between, which are a tuple.</summary>
    /// <param name="withCondition">As of <see cref="Parse"/>.</param>
    /// <param name="isInBrackets">Whether there may be none at all.</param>
    /// <param name="end">A name that ends it.</param>
    public Expression ParseTuple(bool withCondition = true, bool isInBrackets = false, string? end = null)
    {
        var at = _tokens.Current.At;
        List<Expression> elements = [];
        var isTuple = false;
        while (!IsEnd(end))
        {
            elements.Add(Parse(withCondition));
            if (!_tokens.SkipOperator(","))
                break;
            isTuple = true;
        }

        if (!isTuple && elements.Count == 1)
            return elements[0];
        if (!isTuple && !isInBrackets)
            throw _tokens.Fail($"An expression was expected, not {_tokens.Current}.");
        return new ListExpression(at, elements, isTuple: true);
    }

    /// <summary>A chain of filters without the value that goes into it.</summary>
    public FilterExpression ParseFilters() => _operands.ParseFilters();

    /// <summary>The brackets of a call, the first of which is read already.</summary>
    public ArgumentList ParseArguments() => _operands.ParseArguments();

    private bool IsEnd(string? end) =>
        _tokens.Current.Kind is TokenKind.BlockEnd or TokenKind.OutputEnd or TokenKind.End
        || _tokens.IsOperator(")")
        || (end is not null && _tokens.IsName(end));

    private Expression ParseConditional()
    {
        var value = ParseOr();
        while (_tokens.Current is var token && _tokens.SkipName("if"))
        {
            var condition = ParseOr();
            var otherwise = _tokens.SkipName("else") ? Parse() : null;
            value = new ConditionalExpression(token.At, condition, value, otherwise);
        }

        return value;
    }

    private Expression ParseOr()
    {
        var left = ParseAnd();
        while (_tokens.Current is var token && _tokens.SkipName("or"))
            left = new LogicalExpression(token.At, isAnd: false, left, ParseAnd());
        return left;
    }

    private Expression ParseAnd()
    {
        var left = ParseNot();
        while (_tokens.Current is var token && _tokens.SkipName("and"))
            left = new LogicalExpression(token.At, isAnd: true, left, ParseNot());
        return left;
    }

    private Expression ParseNot()
    {
        var at = _tokens.Current.At;
        return _tokens.SkipName("not") ? new NotExpression(at, _tokens.Nest(ParseNot)) : ParseComparison();
    }

    private Expression ParseComparison()
    {
        var at = _tokens.Current.At;
        var first = ParseSum();
        List<(string Symbol, Expression Operand)> rest = [];
        while (ReadComparison() is { } symbol)
            rest.Add((symbol, ParseSum()));
        return rest.Count == 0 ? first : new ComparisonExpression(at, first, rest);
    }

    private string? ReadComparison()
    {
        if (_tokens.Current.Kind == TokenKind.Operator && Comparisons.Contains(_tokens.Current.Text))
            return _tokens.Next().Text;
        if (_tokens.SkipName("in"))
            return "in";
        if (!_tokens.IsName("not") || !_tokens.Following.Is(TokenKind.Name, "in"))
            return null;
        _tokens.Next();
        _tokens.Next();
        return "not in";
    }

    private Expression ParseSum() => ParseChain(["+", "-"], ParseConcat);

    private Expression ParseConcat()
    {
        var at = _tokens.Current.At;
        List<Expression> parts = [ParseProduct()];
        while (_tokens.SkipOperator("~"))
            parts.Add(ParseProduct());
        return parts.Count == 1 ? parts[0] : new ConcatExpression(at, parts);
    }

    private Expression ParseProduct() => ParseChain(["*", "/", "//", "%"], ParsePower);

    private Expression ParsePower() => ParseChain(["**"], () => _operands.ParseSigned(withFilters: true));

    private Expression ParseChain(string[] symbols, Func<Expression> operand)
    {
        var left = operand();
        while (_tokens.Current is { Kind: TokenKind.Operator } token && symbols.Contains(token.Text))
        {
            _tokens.Next();
            left = new ArithmeticExpression(token.At, token.Text, left, operand());
        }

        return left;
    }
}
