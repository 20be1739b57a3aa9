using System.Text.Json;
using R1Serverless.Tests.Triggers.Host.Rpc;

namespace R1Serverless.Tests.Triggers.Host;

/// <summary>A function as the worker's metadata describe it.</summary>
/// <param name="Trigger">Its only binding that is a trigger.</param>
internal sealed record FunctionDefinition(RpcFunctionMetadata Metadata, JsonElement Trigger)
{
    public string Name => Metadata.Name;

    public string Type => Trigger.GetProperty("type").GetString()!;

    public bool IsHttp => Type.Equals("httpTrigger", StringComparison.OrdinalIgnoreCase);

    /// <summary>Of the function's parameter.</summary>
    public string Parameter => Trigger.GetProperty("name").GetString()!;

    /// <summary>Of an HTTP function, without a leading slash; the function's name where none is given.</summary>
    public string Route => Trigger.TryGetProperty("route", out var route) && route.GetString() is { Length: > 0 } given ? given : Name;

    /// <summary>The app setting, or the beginning of several, that say where the trigger looks; null where it needs none.</summary>
    public string? Connection => Trigger.TryGetProperty("connection", out var name) ? name.GetString() : null;

    /// <summary>In upper case; empty means all.</summary>
    public IReadOnlyList<string> Methods =>
        Trigger.TryGetProperty("methods", out var methods) ? [.. methods.EnumerateArray().Select(one => one.GetString()!.ToUpperInvariant())] : [];

    public static FunctionDefinition Of(RpcFunctionMetadata metadata) => new(
        metadata,
        metadata.RawBindings.Select(one => JsonDocument.Parse(one).RootElement)
        .Single(one => one.GetProperty("type").GetString()!.EndsWith("Trigger", StringComparison.OrdinalIgnoreCase)));

    /// <summary>Of the build that these tests came with.</summary>
    public static IReadOnlyList<FunctionDefinition> Built { get; } = In(AppContext.BaseDirectory);

    /// <summary>Those that a published folder lists for hosts which read them from there.</summary>
    public static IReadOnlyList<FunctionDefinition> In(string folder)
    {
        using var listed = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "functions.metadata")));
        return [.. listed.RootElement.EnumerateArray().Select(Read).OrderBy(one => one.Name, StringComparer.Ordinal)];
    }

    private static FunctionDefinition Read(JsonElement one)
    {
        RpcFunctionMetadata metadata =
            new()
            {
                Name = one.GetProperty("name").GetString(), EntryPoint = one.GetProperty("entryPoint").GetString(),
                ScriptFile = one.GetProperty("scriptFile").GetString()
            };
        metadata.RawBindings.AddRange(one.GetProperty("bindings").EnumerateArray().Select(binding => binding.GetRawText()));
        return Of(metadata);
    }
}
