namespace R1Serverless.Models.Templates;

/// <summary>Parses blocks, from the name in their first tag to the end of their last.</summary>
internal sealed class BlockParser(TokenStream tokens, ExpressionParser expressions, StatementParser statements)
{
    /// <summary>Loops around what is parsed; none inside a macro.</summary>
    private int _loops;

    /// <exception cref="TemplateException">It is malformed, or of a name that is not supported.</exception>
    public Statement Parse(TemplatePosition at)
    {
        var name = tokens.ExpectName();
        switch (name)
        {
            case "if":
                return ParseIf(at);
            case "for":
                return ParseFor(at);
            case "set":
                return ParseSet(at);
            case "macro":
                return ParseMacro(at);
            case "call":
                return ParseCall(at);
            case "filter":
                var filters = expressions.ParseFilters();
                return new FilterStatement(at, filters, ParseBody("filter", "endfilter"));
            case "with":
                return ParseWith(at);
            case "generation":
                return new ScopeStatement(at, [], ParseBody("generation", "endgeneration"));
            case "break" or "continue" when _loops > 0:
                EndTag();
                return new JumpStatement(at, name == "break" ? Flow.Break : Flow.Continue);
            case "break" or "continue":
                throw new TemplateException($"'{name}' stands outside of all loops.").Locate(at);
            default:
                throw new TemplateException($"A block '{name}' can't stand here.").Locate(at);
        }
    }

    private IfStatement ParseIf(TemplatePosition at)
    {
        List<(Expression, Block)> branches = [];
        while (true)
        {
            var condition = expressions.ParseTuple(withCondition: false);
            EndTag();
            branches.Add((condition, statements.ParseUntil("if", "elif", "else", "endif")));
            var name = tokens.ExpectName();
            if (name == "elif")
                continue;
            EndTag();
            return new IfStatement(at, branches, name == "else" ? ParseRest("if", "endif") : null);
        }
    }

    private ForStatement ParseFor(TemplatePosition at)
    {
        var target = ParseTarget(withNamespace: false);
        if (!tokens.SkipName("in"))
            throw tokens.Fail($"'in' was expected, not {tokens.Current}.");
        var elements = expressions.ParseTuple(withCondition: false, end: "recursive");
        var condition = tokens.SkipName("if") ? expressions.Parse() : null;
        var isRecursive = tokens.SkipName("recursive");
        EndTag();
        _loops++;
        var body = statements.ParseUntil("for", "else", "endfor");
        _loops--;
        var hasElse = tokens.ExpectName() == "else";
        EndTag();
        return new ForStatement(at, target, elements, condition, body, hasElse ? ParseRest("for", "endfor") : null, isRecursive);
    }

    private Statement ParseSet(TemplatePosition at)
    {
        var target = ParseTarget(withNamespace: true);
        if (tokens.SkipOperator("="))
        {
            var value = expressions.ParseTuple();
            EndTag();
            return new SetStatement(at, target, value);
        }

        var filters = tokens.SkipOperator("|") ? expressions.ParseFilters() : null;
        return new SetBlockStatement(at, target, filters, ParseBody("set", "endset"));
    }

    private MacroStatement ParseMacro(TemplatePosition at) =>
        new(at, ParseForm(tokens.ExpectName(), "macro", "endmacro", ParseParameters(isOptional: false), null));

    private CallStatement ParseCall(TemplatePosition at)
    {
        var parameters = ParseParameters(isOptional: true);
        var call = expressions.Parse() as CallExpression ?? throw tokens.Fail("A call was expected.");
        return new CallStatement(at, ParseForm(Macro.Caller, "call", "endcall", parameters, call), call);
    }

    private MacroForm ParseForm(string name, string opened, string end, List<MacroParameter> parameters, CallExpression? call)
    {
        var (loops, start) = (_loops, tokens.Place);
        _loops = 0;
        var body = ParseBody(opened, end);
        _loops = loops;
        return new MacroForm(name, parameters, body, tokens.HasName("varargs", start), call is null && tokens.HasName("kwargs", start));
    }

    private List<MacroParameter> ParseParameters(bool isOptional)
    {
        List<MacroParameter> parameters = [];
        if (isOptional && !tokens.IsOperator("("))
            return parameters;
        tokens.ExpectOperator("(");
        while (!tokens.SkipOperator(")"))
        {
            if (parameters.Count > 0)
            {
                tokens.ExpectOperator(",");
                if (tokens.SkipOperator(")"))
                    break;
            }

            var name = tokens.ExpectName();
            parameters.Add(new MacroParameter(name, tokens.SkipOperator("=") ? expressions.Parse() : null));
        }

        return parameters;
    }

    private ScopeStatement ParseWith(TemplatePosition at)
    {
        List<(Target, Expression)> names = [];
        while (tokens.Current.Kind != TokenKind.BlockEnd)
        {
            if (names.Count > 0)
                tokens.ExpectOperator(",");
            var target = ParseTarget(withNamespace: false, isTuple: false);
            tokens.ExpectOperator("=");
            names.Add((target, expressions.Parse()));
        }

        return new ScopeStatement(at, names, ParseBody("with", "endwith"));
    }

    /// <summary>One name or several, with commas between or in brackets.</summary>
    private Target ParseTarget(bool withNamespace, bool isTuple = true)
    {
        List<Target> targets = [];
        var isSeveral = false;
        do
        {
            if (targets.Count > 0 && tokens.Current.Kind != TokenKind.Name && !tokens.IsOperator("("))
                break;
            targets.Add(ParseOneTarget(withNamespace));
            isSeveral |= isTuple && tokens.IsOperator(",");
        }
        while (isTuple && tokens.SkipOperator(","));

        return isSeveral ? new TupleTarget(targets) : targets[0];
    }

    private Target ParseOneTarget(bool withNamespace)
    {
        if (tokens.SkipOperator("("))
        {
            var inner = tokens.Nest(() => ParseTarget(withNamespace));
            tokens.ExpectOperator(")");
            return inner;
        }

        var name = tokens.ExpectName();
        return withNamespace && tokens.SkipOperator(".") ? new NamespaceTarget(name, tokens.ExpectName()) : new NameTarget(name);
    }

    /// <summary>From the end of a block's first tag to the end of its last.</summary>
    private Block ParseBody(string opened, string end)
    {
        EndTag();
        return ParseRest(opened, end);
    }

    private Block ParseRest(string opened, string end)
    {
        var body = statements.ParseUntil(opened, end);
        tokens.Next();
        EndTag();
        return body;
    }

    private void EndTag() => tokens.Expect(TokenKind.BlockEnd, "%}");
}
