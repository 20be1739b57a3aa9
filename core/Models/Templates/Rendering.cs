namespace R1Serverless.Models.Templates;

/// <summary>One rendering under way: its scope, its output, and how much of the limits it has used. Not thread-safe.</summary>
/// <param name="scope">Where names are looked for first.</param>
/// <param name="time">For <c>strftime_now</c>.</param>
internal sealed class Rendering(Scope scope, TimeProvider time)
{
    private MarkedTextBuilder _output = new();
    private long _steps;
    private int _depth;

    public Scope Scope { get; private set; } = scope;

    public TimeProvider Time => time;

    /// <summary>What is evaluated right now, for faults.</summary>
    public TemplatePosition At { get; set; }

    /// <summary>Begins an expression or a statement.</summary>
    /// <exception cref="TemplateException">That is too much, or too deep.</exception>
    public void Enter(TemplatePosition at)
    {
        At = at;
        Charge(1);
        if (++_depth > RenderLimits.MaxDepth)
            throw new TemplateException($"More than {RenderLimits.MaxDepth} expressions, blocks or calls are inside each other.");
    }

    /// <summary>Ends it. A fault ends the whole rendering, so it need not be called then.</summary>
    public void Leave() => _depth--;

    /// <summary>Begins a loop's turn, be its body empty.</summary>
    /// <exception cref="TemplateException">That is too much.</exception>
    public void EnterTurn() => Charge(RenderLimits.StepsPerTurn);

    /// <summary>Counts the work on a value, by its size.</summary>
    /// <exception cref="TemplateException">That is too much.</exception>
    public Value Worked(Value value)
    {
        Charge(value.Size / RenderLimits.CharactersPerStep);
        return value;
    }

    public void Write(MarkedText text)
    {
        Charge(text.Length / RenderLimits.CharactersPerStep);
        _output.Append(text);
    }

    /// <summary>What the block prints, rendered in a scope of its own.</summary>
    public MarkedText Capture(Block block, Scope scope)
    {
        var (output, outer) = (_output, Scope);
        (_output, Scope) = (new MarkedTextBuilder(), scope);
        block.Run(this);
        var text = _output.End();
        (_output, Scope) = (output, outer);
        return text;
    }

    /// <summary>Runs something in another scope.</summary>
    public T Within<T>(Scope scope, Func<T> run)
    {
        var outer = Scope;
        Scope = scope;
        var result = run();
        Scope = outer;
        return result;
    }

    private void Charge(long steps)
    {
        _steps += steps;
        if (_steps > RenderLimits.MaxSteps)
            throw new TemplateException($"The template takes more than {RenderLimits.MaxSteps} steps.");
    }
}
