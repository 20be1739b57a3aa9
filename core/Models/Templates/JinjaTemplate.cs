namespace R1Serverless.Models.Templates;

/// <summary>
/// A template in the Jinja that Hugging Face renders chats with: <c>ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)</c>, with
/// break and continue, <c>generation</c> blocks, and its own <c>tojson</c>, <c>raise_exception</c> and <c>strftime_now</c>. Immutable, and safe for
/// several threads. It runs within <see cref="RenderLimits"/> and reaches nothing but the values that it is given.
/// </summary>
internal sealed class JinjaTemplate
{
    private readonly Block _block;

    private JinjaTemplate(Block block) => _block = block;

    /// <exception cref="TemplateException">It is malformed or too long, or uses what is not supported.</exception>
    public static JinjaTemplate Parse(string source)
    {
        if (source.Length > RenderLimits.MaxTemplateLength)
            throw new TemplateException($"The template has more than {RenderLimits.MaxTemplateLength} characters.");
        return new JinjaTemplate(StatementParser.Parse(source));
    }

    /// <summary>What the template prints, and which of it comes from users' texts in the variables.</summary>
    /// <param name="variables">By name.</param>
    /// <param name="time">For <c>strftime_now</c>, which tells the local time.</param>
    /// <exception cref="TemplateException">It refuses or fails, or a limit is reached.</exception>
    public MarkedText Render(IEnumerable<KeyValuePair<string, Value>> variables, TimeProvider time)
    {
        var context = new Scope(Globals.NewScope());
        foreach (var (name, value) in variables)
            context.Set(name, value);
        var scope = new Scope(context);
        var rendering = new Rendering(scope, time);
        try
        {
            return rendering.Capture(_block, scope);
        }
        catch (TemplateException fault)
        {
            throw fault.Locate(rendering.At);
        }
    }
}
