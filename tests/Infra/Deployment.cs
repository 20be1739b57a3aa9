using System.Text.Json.Nodes;

namespace R1Serverless.Tests.Infra;

/// <summary>What a parameter file would deploy, as the compiler predicts it. What is known only in Azure stands there as an expression in
/// brackets.</summary>
public sealed class Deployment
{
    private readonly JsonNode _snapshot;

    public Deployment(string json) => (Text, _snapshot) = (json, JsonNode.Parse(json)!);

    /// <summary>The whole prediction.</summary>
    public string Text { get; }

    public IReadOnlyList<JsonNode> Resources => [.. _snapshot["predictedResources"]!.AsArray().Select(one => one!)];

    public IReadOnlyDictionary<string, string> Outputs =>
        _snapshot["outputs"]!.AsObject().ToDictionary(one => one.Key, one => one.Value!.ToJsonString(), StringComparer.Ordinal);

    public IEnumerable<JsonNode> Of(string type) => Resources.Where(one => one["type"]!.GetValue<string>() == type);

    public JsonNode One(string type) => Assert.Single(Of(type));

    /// <summary>The last part of the names of all resources of a type.</summary>
    public string[] Names(string type) => [.. Of(type).Select(one => one["name"]!.GetValue<string>().Split('/')[^1])];

    /// <summary>The container app that azd deploys as this service.</summary>
    public JsonNode App(string service) =>
        Assert.Single(Of("Microsoft.App/containerApps"), app => app["tags"]!["azd-service-name"]!.GetValue<string>() == service);

    /// <summary>The gateway's variables, in whichever of its homes it is.</summary>
    public IReadOnlyDictionary<string, string> Gateway() => Variables(Of("Microsoft.Web/sites").SingleOrDefault() is { } site
        ? site["properties"]!["siteConfig"]!["appSettings"]!
        : App("gateway")["properties"]!["template"]!["containers"]![0]!["env"]!);

    /// <summary>A container's or a site's variables; one that a secret fills says the secret's name.</summary>
    public static IReadOnlyDictionary<string, string> Variables(JsonNode list) =>
        list.AsArray()
            .ToDictionary(one => one!["name"]!.GetValue<string>(), one => (one!["value"] ?? one["secretRef"])!.GetValue<string>(),
            StringComparer.Ordinal);
}
