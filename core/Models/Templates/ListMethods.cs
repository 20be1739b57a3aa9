namespace R1Serverless.Models.Templates;

/// <summary>The methods of lists that change nothing. Those that would are refused, as in Hugging Face's sandbox.</summary>
internal static class ListMethods
{
    public static Value? Find(ListValue of, string name) => name switch
    {
        "index" => new FunctionValue(name, (_, arguments) => Place(of, arguments.Allow("value").Require(0, "value"))),
        "count" => new FunctionValue(name, (_, arguments) => Count(of, arguments.Allow("value").Require(0, "value"))),
        "copy" when !of.IsTuple => new FunctionValue(name, (_, _) => of),
        "append" or "clear" or "extend" or "insert" or "pop" or "remove" or "reverse" or "sort" when !of.IsTuple =>
            new UndefinedValue($"'{name}' would change a list, which a template may not: make another with '+'."),
        _ => null,
    };

    private static Value Place(ListValue of, Value value)
    {
        for (var place = 0; place < of.Elements.Count; place++)
        {
            if (ValueComparer.AreEqual(of.Elements[place], value))
                return IntegerValue.Of(place);
        }

        throw new TemplateException($"The list does not hold {Sentence.Quote(value)}.");
    }

    private static Value Count(ListValue of, Value value) => IntegerValue.Of(of.Elements.Count(one => ValueComparer.AreEqual(one, value)));
}
