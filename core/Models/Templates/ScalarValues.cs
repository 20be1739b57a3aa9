using System.Globalization;

namespace R1Serverless.Models.Templates;

/// <summary>What a name or attribute is that doesn't exist: prints nothing, counts as false, and is a fault in any other use.</summary>
/// <param name="reason">A sentence for that fault.</param>
internal sealed class UndefinedValue(string reason) : Value
{
    public override string Kind => "an undefined value";

    public string Reason { get; } = reason;

    public override bool IsTrue => false;

    public override int? Count => 0;

    public override IReadOnlyList<Value> Elements => [];

    public static UndefinedValue Named(string name) => new($"'{name}' is undefined.");

    public override MarkedText ToText() => MarkedText.Empty;

    public override MarkedText ToRepresentation() => MarkedText.OfTemplate("Undefined");

    public override Value FindAttribute(string name) => throw new TemplateException(Reason);

    public override Value FindItem(Value key) => throw new TemplateException(Reason);

    public override Value Call(Rendering rendering, CallArguments arguments) => throw new TemplateException(Reason);
}

/// <summary>Python's <c>None</c>.</summary>
internal sealed class NoneValue : Value
{
    private static readonly MarkedText Name = MarkedText.OfTemplate("None");

    public static NoneValue Instance { get; } = new();

    public override string Kind => "none";

    public override bool IsTrue => false;

    public override MarkedText ToText() => Name;
}

/// <summary>A number: as in Python, true and false are 1 and 0.</summary>
internal abstract class NumberValue : Value
{
    public abstract double Number { get; }
}

/// <summary>A whole number of 64 bits; Python's have no limit.</summary>
internal class IntegerValue(long value) : NumberValue
{
    public long Value { get; } = value;

    public override double Number => Value;

    public override string Kind => "an integer";

    public override bool IsTrue => Value != 0;

    public static Value Of(long value) => new IntegerValue(value);

    public override MarkedText ToText() => MarkedText.OfTemplate(Value.ToString(CultureInfo.InvariantCulture));
}

internal sealed class BooleanValue : IntegerValue
{
    private readonly MarkedText _name;

    private BooleanValue(bool value)
        : base(value ? 1 : 0) => _name = MarkedText.OfTemplate(value ? "True" : "False");

    public static BooleanValue True { get; } = new(true);

    public static BooleanValue False { get; } = new(false);

    public override string Kind => "a boolean";

    public static BooleanValue Of(bool value) => value ? True : False;

    public override MarkedText ToText() => _name;
}

internal sealed class FloatValue(double value) : NumberValue
{
    public override double Number { get; } = value;

    public override string Kind => "a float";

    public override bool IsTrue => Number != 0;

    public override MarkedText ToText() => MarkedText.OfTemplate(PythonText.Of(Number));
}
