namespace R1Serverless.Models.Templates;

/// <summary>A global function, or a method with the value it is of.</summary>
/// <param name="name">For messages.</param>
/// <param name="body">What it does.</param>
internal sealed class FunctionValue(string name, Func<Rendering, CallArguments, Value> body) : Value
{
    public override string Kind => "a function";

    public override MarkedText ToText() => MarkedText.OfTemplate($"<function {name}>");

    public override Value Call(Rendering rendering, CallArguments arguments) => body(rendering, arguments.Of(name));
}
