using System.Net;
using System.Text.Json;

namespace R1Serverless.Tests.Triggers;

/// <summary>The published folder under a stand-in for the Functions host.</summary>
[Collection(PublishedAppTests.Name)]
public sealed class PublishedAppRunTests(PublishedApp app) : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("r1-host-").FullName;

    public void Dispose() => Directory.Delete(_data, recursive: true);

    [Fact]
    public async Task It_listens_where_the_host_says_whatever_else_the_environment_says_and_asks_for_its_own_keys()
    {
        await using StandInHost host = await StandInHost.StartAsync(app.Folder, _data, new Dictionary<string, string> { ["R1_API_KEY"] = "one" });
        Assert.Equal(HttpStatusCode.OK, (await host.Client.GetAsync("/health/live")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.Client.GetAsync("/v1/models")).StatusCode);
        host.Client.DefaultRequestHeaders.Authorization = new("Bearer", "one");
        await host.UntilReadyAsync();
        JsonElement models = JsonDocument.Parse(await host.Client.GetStringAsync("/v1/models")).RootElement;
        Assert.Equal(0, models.GetProperty("data").GetArrayLength());
        Assert.Contains($"Listening on {host.Address.GetLeftPart(UriPartial.Authority)}", host.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("8080", host.Output, StringComparison.Ordinal);
    }
}
