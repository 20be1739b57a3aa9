using System.Text.Json;

namespace R1Serverless.Tests.Triggers;

/// <summary>One function.json, as the host reads it.</summary>
/// <param name="Name">Of its folder.</param>
/// <param name="Trigger">Its only binding that goes in.</param>
/// <param name="Outputs">The types of those that go out.</param>
internal sealed record FunctionFile(string Name, JsonElement Trigger, IReadOnlyList<string> Outputs)
{
    public string Type => Trigger.GetProperty("type").GetString()!;

    public bool IsHttp => Type == "httpTrigger";

    /// <summary>Of an HTTP function, without a leading slash.</summary>
    public string Route => Trigger.GetProperty("route").GetString()!;

    /// <summary>In upper case.</summary>
    public IReadOnlyList<string> Methods => [.. Trigger.GetProperty("methods").EnumerateArray().Select(one => one.GetString()!.ToUpperInvariant())];

    /// <summary>All in a folder, each in a folder of its name.</summary>
    public static IReadOnlyList<FunctionFile> In(string folder) =>
        [.. Directory.EnumerateFiles(folder, "function.json", SearchOption.AllDirectories).Where(file => Path.GetDirectoryName(Path.GetDirectoryName(file)) == folder).Select(Read).OrderBy(one => one.Name, StringComparer.Ordinal)];

    private static FunctionFile Read(string file)
    {
        JsonElement[] bindings = [.. JsonDocument.Parse(File.ReadAllBytes(file)).RootElement.GetProperty("bindings").EnumerateArray()];
        return new FunctionFile(
            Path.GetFileName(Path.GetDirectoryName(file))!,
            bindings.Single(one => one.GetProperty("direction").GetString() == "in"),
            [.. bindings.Where(one => one.GetProperty("direction").GetString() == "out").Select(one => one.GetProperty("type").GetString()!)]);
    }
}
