using System.Globalization;

namespace R1Serverless.Models.Templates;

/// <summary>Parses what stands between operators: literals and names, with their attributes, items, slices, calls, filters and tests.</summary>
internal sealed class OperandParser(TokenStream tokens, ExpressionParser expressions)
{
    public Expression ParseSigned(bool withFilters)
    {
        var token = tokens.Current;
        Expression operand;
        if (tokens.SkipOperator("-"))
            operand = new SignExpression(token.At, isMinus: true, tokens.Nest(() => ParseSigned(withFilters: false)));
        else if (tokens.SkipOperator("+"))
            operand = new SignExpression(token.At, isMinus: false, tokens.Nest(() => ParseSigned(withFilters: false)));
        else
            operand = ParsePrimary();

        operand = ParsePostfix(operand);
        return withFilters ? ParseFiltersAndTests(operand) : operand;
    }

    /// <summary>A chain of filters without the value that goes into it; what is before the first '|' is read already.</summary>
    public FilterExpression ParseFilters()
    {
        var filter = ParseFilter(null);
        while (tokens.SkipOperator("|"))
            filter = ParseFilter(filter);
        return filter;
    }

    /// <summary>The brackets of a call, the first of which is read already.</summary>
    public ArgumentList ParseArguments()
    {
        List<Argument> arguments = [];
        while (!tokens.SkipOperator(")"))
        {
            if (arguments.Count > 0)
            {
                tokens.ExpectOperator(",");
                if (tokens.SkipOperator(")"))
                    break;
            }

            arguments.Add(ParseArgument());
        }

        return arguments.Count == 0 ? ArgumentList.Empty : new ArgumentList(arguments);
    }

    private Argument ParseArgument()
    {
        if (tokens.SkipOperator("**"))
            return new Argument(ArgumentForm.Mapping, "", expressions.Parse());
        if (tokens.SkipOperator("*"))
            return new Argument(ArgumentForm.Sequence, "", expressions.Parse());
        if (tokens.Current.Kind != TokenKind.Name || !tokens.Following.Is(TokenKind.Operator, "="))
            return new Argument(ArgumentForm.Positional, "", expressions.Parse());
        var name = tokens.Next().Text;
        tokens.Next();
        return new Argument(ArgumentForm.Named, name, expressions.Parse());
    }

    private Expression ParsePrimary()
    {
        var token = tokens.Next();
        switch (token.Kind)
        {
            case TokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new Literal(token.At, BooleanValue.True),
                    "false" or "False" => new Literal(token.At, BooleanValue.False),
                    "none" or "None" => new Literal(token.At, NoneValue.Instance),
                    _ => new NameExpression(token.At, token.Text),
                };
            case TokenKind.String:
                var text = token.Text;
                while (tokens.Current.Kind == TokenKind.String)
                    text += tokens.Next().Text;
                return new Literal(token.At, StringValue.OfTemplate(text));
            case TokenKind.Integer when long.TryParse(token.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var whole):
                return new Literal(token.At, IntegerValue.Of(whole));
            case TokenKind.Integer:
                throw new TemplateException($"The number {token.Text} is beyond 64 bits.").Locate(token.At);
            case TokenKind.Float:
                return new Literal(token.At, new FloatValue(double.Parse(token.Text, NumberStyles.Float, CultureInfo.InvariantCulture)));
            case TokenKind.Operator when token.Text == "(":
                var tuple = expressions.ParseTuple(isInBrackets: true);
                tokens.ExpectOperator(")");
                return tuple;
            case TokenKind.Operator when token.Text == "[":
                return ParseList(token.At);
            case TokenKind.Operator when token.Text == "{":
                return ParseDictionary(token.At);
            default:
                throw new TemplateException($"An expression was expected, not {token}.").Locate(token.At);
        }
    }

    private ListExpression ParseList(TemplatePosition at)
    {
        List<Expression> elements = [];
        while (!tokens.SkipOperator("]"))
        {
            if (elements.Count > 0)
            {
                tokens.ExpectOperator(",");
                if (tokens.SkipOperator("]"))
                    break;
            }

            elements.Add(expressions.Parse());
        }

        return new ListExpression(at, elements, isTuple: false);
    }

    private DictionaryExpression ParseDictionary(TemplatePosition at)
    {
        List<KeyValuePair<Expression, Expression>> entries = [];
        while (!tokens.SkipOperator("}"))
        {
            if (entries.Count > 0)
            {
                tokens.ExpectOperator(",");
                if (tokens.SkipOperator("}"))
                    break;
            }

            var key = expressions.Parse();
            tokens.ExpectOperator(":");
            entries.Add(KeyValuePair.Create(key, expressions.Parse()));
        }

        return new DictionaryExpression(at, entries);
    }

    private Expression ParsePostfix(Expression operand)
    {
        while (tokens.Current is { Kind: TokenKind.Operator } token)
        {
            if (tokens.SkipOperator("."))
                operand = ParseAttribute(token.At, operand);
            else if (tokens.SkipOperator("["))
                operand = ParseSubscript(token.At, operand);
            else if (tokens.SkipOperator("("))
                operand = new CallExpression(token.At, operand, ParseArguments());
            else
                break;
        }

        return operand;
    }

    private Expression ParseAttribute(TemplatePosition at, Expression of)
    {
        if (tokens.Current is { Kind: TokenKind.Integer, Text: var digits }
            && long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var place))
        {
            tokens.Next();
            return new ItemExpression(at, of, new Literal(at, IntegerValue.Of(place)));
        }

        return new AttributeExpression(at, of, tokens.ExpectName());
    }

    private Expression ParseSubscript(TemplatePosition at, Expression of)
    {
        var start = tokens.IsOperator(":") ? null : expressions.Parse();
        if (!tokens.SkipOperator(":"))
        {
            if (tokens.IsOperator(","))
                start = ParseRestOfTuple(at, start!);
            tokens.ExpectOperator("]");
            return new ItemExpression(at, of, start!);
        }

        var stop = tokens.IsOperator(":") || tokens.IsOperator("]") ? null : expressions.Parse();
        var step = tokens.SkipOperator(":") && !tokens.IsOperator("]") ? expressions.Parse() : null;
        tokens.ExpectOperator("]");
        return new SliceExpression(at, of, start, stop, step);
    }

    private ListExpression ParseRestOfTuple(TemplatePosition at, Expression first)
    {
        List<Expression> elements = [first];
        while (tokens.SkipOperator(",") && !tokens.IsOperator("]"))
            elements.Add(expressions.Parse());
        return new ListExpression(at, elements, isTuple: true);
    }

    private Expression ParseFiltersAndTests(Expression operand)
    {
        while (true)
        {
            var at = tokens.Current.At;
            if (tokens.SkipOperator("|"))
                operand = ParseFilter(operand);
            else if (tokens.SkipName("is"))
                operand = ParseTest(at, operand);
            else if (tokens.SkipOperator("("))
                operand = new CallExpression(at, operand, ParseArguments());
            else
                return operand;
        }
    }

    private FilterExpression ParseFilter(Expression? input)
    {
        var at = tokens.Current.At;
        var name = tokens.ExpectName();
        var filter = Filters.Find(name) ?? throw new TemplateException($"There is no filter '{name}'.").Locate(at);
        return new FilterExpression(at, input, name, filter, tokens.SkipOperator("(") ? ParseArguments() : ArgumentList.Empty);
    }

    private Expression ParseTest(TemplatePosition at, Expression input)
    {
        var isNegative = tokens.SkipName("not");
        var name = tokens.ExpectName();
        var test = ValueTests.Find(name) ?? throw new TemplateException($"There is no test '{name}'.").Locate(at);
        var arguments = ArgumentList.Empty;
        if (tokens.SkipOperator("("))
            arguments = ParseArguments();
        else if (HasBareArgument())
            arguments = new ArgumentList([new Argument(ArgumentForm.Positional, "", ParsePostfix(ParsePrimary()))]);
        Expression result = new TestExpression(at, input, name, test, arguments);
        return isNegative ? new NotExpression(at, result) : result;
    }

    /// <summary>Whether a test's argument follows without brackets: <c>is divisibleby 3</c>.</summary>
    /// <exception cref="TemplateException">A second test follows.</exception>
    private bool HasBareArgument()
    {
        if (tokens.IsName("is"))
            throw tokens.Fail("A test can't follow another: put brackets around the first.");
        return tokens.Current.Kind is TokenKind.String or TokenKind.Integer or TokenKind.Float || tokens.IsOperator("[") || tokens.IsOperator("{")
            || (tokens.Current is { Kind: TokenKind.Name, Text: not ("else" or "or" or "and") });
    }
}
