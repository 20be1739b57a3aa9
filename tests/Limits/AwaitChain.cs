using System.Reflection;
using System.Runtime.CompilerServices;

namespace R1Serverless.Tests.Limits;

/// <summary>
/// What a task awaits, what that awaits in turn, and so on: read from the state machines that the compiler makes of async methods, as no thread's
/// stack holds them.
/// The names of their fields are the compiler's and the framework's own business; where one changes, the chain ends early.
/// </summary>
internal static class AwaitChain
{
    private const int MaxLines = 60, MaxNesting = 4;
    private const BindingFlags Own = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    /// <summary>From the outermost call to what does not come.</summary>
    public static IEnumerable<string> Of(Task task) => Lines(task, "   ", new HashSet<object>(ReferenceEqualityComparer.Instance)).Take(MaxLines);

    private static IEnumerable<string> Lines(object waited, string indent, HashSet<object> seen)
    {
        if (!seen.Add(waited)) yield break;
        var machine = waited as IAsyncStateMachine ?? Field(waited, "StateMachine");
        // The runner's own steps between it and the test say nothing.
        if (machine?.GetType().FullName?.StartsWith("Xunit.", StringComparison.Ordinal) != true)
            yield return indent + (machine is not null ? Describe(machine) : waited is Task task ? Describe(task) : $"at {waited.GetType()}");
        object[] next =
            [.. (machine is not null ? Awaited(machine) : waited is Task { IsCompleted: false } ? Joined(waited) : []).Distinct(
                ReferenceEqualityComparer.Instance).OfType<object>()];
        foreach (var line in next.SelectMany(one => Lines(one, next.Length > 1 ? indent + "   " : indent, seen))) yield return line;
    }

    private static string Describe(object machine)
    {
        var type = machine.GetType();
        var method = type.Name.LastIndexOf('>') is > 0 and var end ? type.Name[1..end] : type.Name;
        // Counted from 0 in the order of the source; below that it is not at an await, but runs, has ended or has not begun.
        var place = Field(machine, "<>1__state") is int state and >= 0 ? $"await {state + 1} in it" : "not at an await: see the threads";
        return $"at {type.DeclaringType?.FullName}.{method} ({place})";
    }

    private static string Describe(Task task)
    {
        var code = Field(task, "m_action") is Delegate { Method: { } method } ? $" of {method.DeclaringType?.FullName}.{method.Name}" : "";
        return $"at {task.GetType()}{code} ({task.Status})";
    }

    /// <summary>What the awaiters of a state machine hold; those of other awaits than the present one are cleared.</summary>
    private static IEnumerable<object> Awaited(object machine) =>
        machine.GetType().GetFields(Own).Where(field => field.Name.StartsWith("<>u__", StringComparison.Ordinal))
            .SelectMany(field => Held(field.GetValue(machine), MaxNesting));

    private static IEnumerable<object> Held(object? value, int nesting) => value switch
    {
        null or string or Delegate => [],
        ValueType when value.GetType() is { IsPrimitive: false, IsEnum: false } type && nesting > 0 =>
            type.GetFields(Own).SelectMany(field => Held(field.GetValue(value), nesting - 1)),
        ValueType => [],
        _ => [value],
    };

    /// <summary>The tasks that a task of the framework, such as that of WhenAll, waits for.</summary>
    private static IEnumerable<object> Joined(object task)
    {
        for (var type = task.GetType(); type is not null && type != typeof(Task)
            && !(type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Task<>)); type = type.BaseType)
        {
            foreach (var value in type.GetFields(Own).Select(field => field.GetValue(task)))
            {
                if (value is Task { IsCompleted: false }) yield return value;
                if (value is not IEnumerable<Task> several) continue;
                foreach (var one in several.Where(one => one is { IsCompleted: false })) yield return one;
            }
        }
    }

    private static object? Field(object owner, string name)
    {
        for (var type = owner.GetType(); type is not null; type = type.BaseType)
        {
            if (type.GetField(name, Own) is { } field) return field.GetValue(owner);
        }

        return null;
    }
}
