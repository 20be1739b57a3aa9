namespace R1Serverless.Models.Templates;

/// <summary>The methods of dictionaries that change nothing. Those that would are refused, as in Hugging Face's sandbox.</summary>
internal static class DictionaryMethods
{
    public static Value? Find(DictionaryValue of, string name) => name switch
    {
        "items" => new FunctionValue(name, (_, _) => new ListValue(of.Pairs)),
        "keys" => new FunctionValue(name, (_, _) => new ListValue([.. of.Entries.Keys])),
        "values" => new FunctionValue(name, (_, _) => new ListValue([.. of.Entries.Values])),
        "get" => new FunctionValue(name, (_, arguments) => Get(of, arguments.Allow("key", "default"))),
        "copy" => new FunctionValue(name, (_, _) => of),
        "clear" or "pop" or "popitem" or "setdefault" or "update" =>
            new UndefinedValue($"'{name}' would change a dictionary, which a template may not: make another with 'dict'."),
        _ => null,
    };

    private static Value Get(DictionaryValue of, CallArguments arguments) =>
        of.FindItem(arguments.Require(0, "key")) ?? arguments.Find(1, "default") ?? NoneValue.Instance;
}
