namespace R1Serverless.Models.Templates;

/// <summary>A place in a template, counted from 1.</summary>
public readonly record struct TemplatePosition(int Line, int Column);

/// <summary>A template that can't be parsed, or that fails on what it is to render. The message is a sentence for a person, with the place.</summary>
/// <param name="reason">A sentence.</param>
public sealed class TemplateException(string reason) : Exception
{
    /// <summary>Where the template goes wrong; null where that is not known.</summary>
    public TemplatePosition? At { get; private set; }

    /// <summary>The template itself refused, by <c>raise_exception</c>; the reason is its own words.</summary>
    public bool IsRaised { get; init; }

    /// <summary>The sentence without the place.</summary>
    public string Reason { get; } = reason;

    public override string Message => At is { } at ? $"{Reason} (line {at.Line}, column {at.Column})" : Reason;

    /// <summary>Sets the place, unless it is known already.</summary>
    internal TemplateException Locate(TemplatePosition at)
    {
        At ??= at;
        return this;
    }
}
