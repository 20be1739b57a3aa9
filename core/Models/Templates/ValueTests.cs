namespace R1Serverless.Models.Templates;

/// <summary>A test: what stands after <c>is</c>.</summary>
internal delegate bool ValueTest(Value value, CallArguments arguments);

/// <summary>The tests by their names.</summary>
internal static class ValueTests
{
    private static readonly Dictionary<string, ValueTest> Known = new(StringComparer.Ordinal)
    {
        ["boolean"] = (value, _) => value is BooleanValue,
        ["callable"] = (value, _) => value is FunctionValue or Macro,
        ["defined"] = (value, _) => value is not UndefinedValue,
        ["divisibleby"] = (value, arguments) => Arithmetic.Apply("%", value, arguments.Require(0, "num")) is NumberValue { Number: 0 },
        ["escaped"] = (_, _) => false,
        ["even"] = (value, _) => Remainder(value) == 0,
        ["false"] = (value, _) => ReferenceEquals(value, BooleanValue.False),
        ["filter"] = (value, _) => Filters.Find(value.ToText().Text) is not null,
        ["float"] = (value, _) => value is FloatValue,
        ["in"] = (value, arguments) => Arithmetic.Contains(arguments.Require(0, "seq"), value),
        ["integer"] = (value, _) => value is IntegerValue and not BooleanValue,
        ["iterable"] = (value, _) => value.Elements is not null,
        ["lower"] = (value, _) => value.ToText().Text is var text && text.Any(char.IsLower) && !text.Any(char.IsUpper),
        ["mapping"] = (value, _) => value is DictionaryValue,
        ["none"] = (value, _) => value is NoneValue,
        ["number"] = (value, _) => value is NumberValue,
        ["odd"] = (value, _) => Remainder(value) == 1,
        ["sameas"] = (value, arguments) => ReferenceEquals(value, arguments.Require(0, "other")),
        ["sequence"] = (value, _) => value is StringValue or ListValue or DictionaryValue or UndefinedValue,
        ["string"] = (value, _) => value is StringValue,
        ["test"] = (value, _) => Find(value.ToText().Text) is not null,
        ["true"] = (value, _) => ReferenceEquals(value, BooleanValue.True),
        ["undefined"] = (value, _) => value is UndefinedValue,
        ["upper"] = (value, _) => value.ToText().Text is var text && text.Any(char.IsUpper) && !text.Any(char.IsLower),
        ["eq"] = AreEqual, ["equalto"] = AreEqual, ["=="] = AreEqual,
        ["ne"] = Differ, ["!="] = Differ,
        ["lt"] = IsLess, ["lessthan"] = IsLess, ["<"] = IsLess,
        ["gt"] = IsGreater, ["greaterthan"] = IsGreater, [">"] = IsGreater,
        ["le"] = (value, arguments) => Order(value, arguments) <= 0, ["<="] = (value, arguments) => Order(value, arguments) <= 0,
        ["ge"] = (value, arguments) => Order(value, arguments) >= 0, [">="] = (value, arguments) => Order(value, arguments) >= 0,
    };

    public static ValueTest? Find(string name) => Known.GetValueOrDefault(name);

    private static bool AreEqual(Value value, CallArguments arguments) => ValueComparer.AreEqual(value, arguments.Require(0, "other"));

    private static bool Differ(Value value, CallArguments arguments) => !AreEqual(value, arguments);

    private static bool IsLess(Value value, CallArguments arguments) => Order(value, arguments) < 0;

    private static bool IsGreater(Value value, CallArguments arguments) => Order(value, arguments) > 0;

    private static int Order(Value value, CallArguments arguments) => ValueComparer.Compare(value, arguments.Require(0, "other"));

    private static double Remainder(Value value) => Arithmetic.Apply("%", value, IntegerValue.Of(2)) is NumberValue rest ? rest.Number : -1;
}
