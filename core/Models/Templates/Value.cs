namespace R1Serverless.Models.Templates;

/// <summary>What an expression comes to: Python's values as far as templates have them. Immutable, but for namespaces and a loop's state.</summary>
internal abstract class Value
{
    /// <summary>Its kind with an article, for messages.</summary>
    public abstract string Kind { get; }

    /// <summary>Whether a condition on it holds.</summary>
    public virtual bool IsTrue => true;

    /// <summary>Lists and dictionaries inside each other, this one counted.</summary>
    public virtual int Nesting => 0;

    /// <summary>Elements or characters, where it has any; else null.</summary>
    public virtual int? Count => null;

    /// <summary>How many characters or elements it is to read it.</summary>
    public virtual int Size => 0;

    /// <summary>What is printed of it: Python's <c>str</c>.</summary>
    public abstract MarkedText ToText();

    /// <summary>What is printed of it inside a list: Python's <c>repr</c>.</summary>
    public virtual MarkedText ToRepresentation() => ToText();

    /// <summary>What a loop goes over; null where none can.</summary>
    public virtual IReadOnlyList<Value>? Elements => null;

    /// <summary>A method or attribute by its name; null where there is none.</summary>
    public virtual Value? FindAttribute(string name) => null;

    /// <summary>What stands in brackets after it; null where there is none.</summary>
    public virtual Value? FindItem(Value key) => null;

    /// <exception cref="TemplateException">It can't be called, or not like this.</exception>
    public virtual Value Call(Rendering rendering, CallArguments arguments) =>
        throw new TemplateException($"{Sentence.Begin(Kind)} can't be called.");

    /// <summary>As <c>value.name</c>: methods before items.</summary>
    public Value Attribute(string name) =>
        FindAttribute(name) ?? FindItem(StringValue.OfTemplate(name)) ?? new UndefinedValue($"{Sentence.Begin(Kind)} has no attribute '{name}'.");

    /// <summary>As <c>value[key]</c>: items before methods.</summary>
    public Value Item(Value key) =>
        FindItem(key) ?? (key is StringValue { Text: var name } ? FindAttribute(name.Text) : null)
        ?? new UndefinedValue($"{Sentence.Begin(Kind)} has no item {Sentence.Quote(key)}.");
}
