using System.Globalization;

namespace R1Serverless.Models.Templates;

/// <summary>Filters that choose elements or take something of each: map, select, reject, selectattr, rejectattr, groupby.</summary>
internal static class Selections
{
    /// <summary>Reads an attribute of an element: a name, a number, or several with dots between. Null reads the element itself.</summary>
    /// <param name="attribute">Null where there is none.</param>
    /// <param name="fallback">What stands for an attribute that is undefined.</param>
    public static Func<Value, Value> AttributeOf(Value? attribute, Value? fallback = null)
    {
        if (attribute is null or NoneValue)
            return element => element;
        Value[] keys = attribute is StringValue path ? [.. path.Text.Text.Split('.').Select(Key)] : [attribute];
        return element =>
        {
            foreach (var key in keys)
            {
                element = element.Item(key);
                if (fallback is not null && element is UndefinedValue)
                    element = fallback;
            }

            return element;
        };

        static Value Key(string part) =>
            long.TryParse(part, NumberStyles.None, null, out var place) ? IntegerValue.Of(place) : StringValue.OfTemplate(part);
    }

    /// <summary>An attribute of each element, or a filter's result of each.</summary>
    public static Value Map(Rendering rendering, Value input, CallArguments arguments)
    {
        if (arguments.Positional.Count == 0)
        {
            var attribute = AttributeOf(arguments.Allow("attribute", "default").Require(0, "attribute"), arguments.Find(1, "default"));
            return new ListValue([.. Iteration.Over(input).Select(attribute)]);
        }

        var name = arguments.Text(0, "name").Text;
        var filter = Filters.Find(name) ?? throw new TemplateException($"There is no filter '{name}'.");
        var rest = arguments.Skip(1).Of(name);
        return new ListValue([.. Iteration.Over(input).Select(element => rendering.Worked(filter(rendering, rendering.Worked(element), rest)))]);
    }

    public static Value Select(Rendering rendering, Value input, CallArguments arguments, bool wanted)
    {
        var test = Test(arguments, 0);
        return new ListValue([.. Iteration.Over(input).Where(element => test(rendering.Worked(element)) == wanted)]);
    }

    public static Value SelectByAttribute(Rendering rendering, Value input, CallArguments arguments, bool wanted)
    {
        var (attribute, test) = (AttributeOf(arguments.Require(0, "attribute")), Test(arguments, 1));
        return new ListValue([.. Iteration.Over(input).Where(element => test(rendering.Worked(attribute(element))) == wanted)]);
    }

    /// <summary>Pairs of a value and the elements that have it, by the order of the values.</summary>
    public static Value Grouped(Rendering rendering, Value input, CallArguments arguments)
    {
        arguments.Allow("attribute", "default", "case_sensitive");
        var attribute = AttributeOf(arguments.Require(0, "attribute"), arguments.Find(1, "default"));
        var groups = Iteration.Over(input).GroupBy(attribute, ValueComparer.Instance)
            .Select(group => new ListValue([group.Key, new ListValue([.. group])], isTuple: true));
        return new ListValue(ListFilters.Ordered(groups, group => group.Elements![0], isReversed: false));
    }

    /// <summary>The test that an argument names, with those after it; without one, whether an element counts as true.</summary>
    private static Func<Value, bool> Test(CallArguments arguments, int place)
    {
        if (arguments.Positional.Count <= place)
            return element => element.IsTrue;
        var name = arguments.Text(place, "test").Text;
        var test = ValueTests.Find(name) ?? throw new TemplateException($"There is no test '{name}'.");
        var rest = arguments.Skip(place + 1).Of(name);
        return element => test(element, rest);
    }
}
