using System.Text.Json;

namespace R1Serverless.Tests.Infra;

/// <summary>A function as the Functions host reads it: the build writes <c>functions.metadata</c> of the attributes in functions/Triggers.</summary>
/// <param name="Trigger">Its one trigger's binding.</param>
internal sealed record FunctionDefinition(string Name, JsonElement Trigger)
{
    public string Type => Trigger.GetProperty("type").GetString()!;

    public bool IsHttp => Type == "httpTrigger";

    /// <summary>Of an HTTP function, without a leading slash.</summary>
    public string Route => Trigger.GetProperty("route").GetString()!;

    /// <summary>The app setting, or the beginning of several, that say where the trigger looks; null where it needs none.</summary>
    public string? Connection => Trigger.TryGetProperty("connection", out JsonElement name) ? name.GetString() : null;

    /// <summary>Of the build that these tests came with.</summary>
    public static IReadOnlyList<FunctionDefinition> All { get; } = Read(AppContext.BaseDirectory);

    /// <summary>Of a built or published app.</summary>
    public static IReadOnlyList<FunctionDefinition> Read(string folder)
    {
        using JsonDocument all = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "functions.metadata")));
        return
        [
            .. from function in all.RootElement.EnumerateArray()
               let trigger = function.GetProperty("bindings").EnumerateArray().Single(one => one.GetProperty("type").GetString()!.EndsWith("Trigger", StringComparison.OrdinalIgnoreCase))
               select new FunctionDefinition(function.GetProperty("name").GetString()!, trigger.Clone()),
        ];
    }
}
