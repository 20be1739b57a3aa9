namespace R1Serverless.Models.Templates;

/// <param name="Name">Its name.</param>
/// <param name="Default">What it is where the call leaves it out; null for undefined.</param>
internal sealed record MacroParameter(string Name, Expression? Default);

/// <summary>What a macro is in the template, apart from a rendering.</summary>
/// <param name="Name">For messages.</param>
/// <param name="Parameters">In order.</param>
/// <param name="Body">What it prints.</param>
/// <param name="TakesMore">Whether it reads <c>varargs</c> and so takes any number of arguments.</param>
/// <param name="TakesNames">Whether it reads <c>kwargs</c> and so takes arguments of any name.</param>
internal sealed record MacroForm(string Name, IReadOnlyList<MacroParameter> Parameters, Block Body, bool TakesMore, bool TakesNames);

/// <summary>A macro: a function of the template's own, whose value is what it prints. It sees the names of where it was defined.</summary>
internal sealed class Macro(MacroForm form, Scope closure) : Value
{
    /// <summary>The name by which a macro calls the block that a call block hands over.</summary>
    public const string Caller = "caller";

    public override string Kind => "a macro";

    public override MarkedText ToText() => MarkedText.OfTemplate($"<Macro '{form.Name}'>");

    public override Value? FindAttribute(string name) => name == "name" ? StringValue.OfTemplate(form.Name) : null;

    public override Value Call(Rendering rendering, CallArguments arguments)
    {
        var scope = new Scope(closure);
        var given = Bind(arguments.Of(form.Name), scope);
        foreach (var (name, value) in form.Parameters)
        {
            if (given.Contains(name))
                continue;
            scope.Set(name, value is null
                ? new UndefinedValue($"'{name}' was not given to '{form.Name}'.")
                : rendering.Within(scope, () => value.Evaluate(rendering)));
        }

        return new StringValue(rendering.Capture(form.Body, scope));
    }

    /// <summary>Sets what was given, and returns its names.</summary>
    private HashSet<string> Bind(CallArguments arguments, Scope scope)
    {
        var given = new HashSet<string>(StringComparer.Ordinal);
        var (positional, count) = (arguments.Positional, form.Parameters.Count);
        for (var place = 0; place < Math.Min(count, positional.Count); place++)
        {
            given.Add(form.Parameters[place].Name);
            scope.Set(form.Parameters[place].Name, positional[place]);
        }

        if (positional.Count > count && !form.TakesMore)
            throw new TemplateException($"'{form.Name}' takes at most {count} arguments, not {positional.Count}.");
        if (form.TakesMore)
            scope.Set("varargs", new ListValue([.. positional.Skip(count)], isTuple: true));

        List<KeyValuePair<Value, Value>> others = [];
        foreach (var (name, value) in arguments.Named)
        {
            if (name == Caller || form.Parameters.Any(parameter => parameter.Name == name))
            {
                if (!given.Add(name))
                    throw new TemplateException($"'{form.Name}' gets its argument '{name}' twice.");
                scope.Set(name, value);
            }
            else if (form.TakesNames)
            {
                others.Add(KeyValuePair.Create<Value, Value>(StringValue.OfTemplate(name), value));
            }
            else
            {
                throw new TemplateException($"'{form.Name}' has no argument '{name}'.");
            }
        }

        if (form.TakesNames)
            scope.Set("kwargs", new DictionaryValue(others));
        return given;
    }
}

/// <summary><c>{% macro name(parameters) %}…{% endmacro %}</c>.</summary>
internal sealed class MacroStatement(TemplatePosition at, MacroForm form) : Statement(at)
{
    protected override Flow Render(Rendering rendering)
    {
        rendering.Scope.Set(form.Name, new Macro(form, rendering.Scope));
        return Flow.Next;
    }
}

/// <summary><c>{% call(parameters) macro(arguments) %}…{% endcall %}</c>: a call with a block that the macro may call back.</summary>
internal sealed class CallStatement(TemplatePosition at, MacroForm block, CallExpression call) : Statement(at)
{
    protected override Flow Render(Rendering rendering)
    {
        rendering.Write(call.Invoke(rendering, new Macro(block, rendering.Scope)).ToText());
        return Flow.Next;
    }
}
