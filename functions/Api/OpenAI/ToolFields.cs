using System.Text.Json;

namespace R1Serverless.Api.OpenAI;

/// <summary>Tools, which no model here calls: a call may bring some only where it also says that none is to be used.</summary>
internal static class ToolFields
{
    public static void Check(RequestReader reader)
    {
        Check(reader, "tools", "tool_choice");
        Check(reader, "functions", "function_call");
    }

    private static void Check(RequestReader reader, string tools, string choice)
    {
        if (reader.Optional(tools) is not { ValueKind: JsonValueKind.Array } list || list.GetArrayLength() == 0) return;
        if (reader.Optional(choice) is { ValueKind: JsonValueKind.String } chosen && chosen.ValueEquals("none")) return;
        reader.Faults.Add(tools, $"'{tools}' is not supported here, unless '{choice}' is \"none\".", "unsupported_parameter");
    }
}
