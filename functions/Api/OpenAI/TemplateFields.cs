using System.Text.Json;

namespace R1Serverless.Api.OpenAI;

/// <summary>What a call says to the model's chat template: how much to reason, and vLLM's <c>chat_template_kwargs</c>.</summary>
internal static class TemplateFields
{
    private const string Effort = "reasoning_effort";
    private const string Arguments = "chat_template_kwargs";

    /// <summary>Characters of the object as it was sent: such arguments are switches and short texts.</summary>
    private const int LongestArguments = 16 * 1024;

    private static readonly string[] Efforts = ["none", "minimal", "low", "medium", "high", "xhigh"];

    /// <summary>What the request itself says, or what would make another prompt than a turn of the assistant.</summary>
    private static readonly string[] Reserved =
        ["messages", "tools", "documents", "add_generation_prompt", "continue_final_message", "chat_template", "tokenize"];

    /// <param name="name">What the API calls it.</param>
    public static string? ReadEffort(RequestReader reader, string name = Effort)
    {
        if (reader.Text(name) is not { } effort) return null;
        if (Efforts.Contains(effort)) return effort;
        var at = reader.Path(name);
        reader.Faults.Add(at, $"'{at}' must be one of {string.Join(", ", Efforts)}, not '{Truncated.Name(effort)}'.");
        return null;
    }

    /// <summary>The object, which outlives the body; null where there is none or nothing in it.</summary>
    public static JsonElement? ReadArguments(RequestReader reader)
    {
        if (reader.Object(Arguments) is not { } arguments) return null;
        if (arguments.Element.GetRawText().Length > LongestArguments)
        {
            reader.Faults.Add(Arguments, $"'{Arguments}' may have at most {LongestArguments} characters.");
            return null;
        }

        foreach (var argument in arguments.Element.EnumerateObject())
        {
            if (!Reserved.Contains(argument.Name)) continue;
            var at = arguments.Path(argument.Name);
            reader.Faults.Add(at, $"'{at}' can't be passed to the chat template: the request's own fields say it.", "unsupported_parameter");
            return null;
        }

        return arguments.Element.EnumerateObject().Any() ? arguments.Element.Clone() : null;
    }
}
