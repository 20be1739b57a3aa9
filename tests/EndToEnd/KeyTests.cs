using System.ClientModel;
using System.ClientModel.Primitives;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using OpenAI;
using OpenAI.Chat;
using R1Serverless.Tests.Auth;
using R1Serverless.Tests.Commands;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>Named keys as an operator handles them, with real processes and OpenAI's client.</summary>
public sealed class KeyTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("r1-keys-").FullName;

    private string Keys => Path.Combine(_data, "keys.json");

    [Fact]
    public async Task A_key_is_made_rotated_under_a_stream_and_revoked()
    {
        string first = await KeysAsync("create", "app", "--expires", "90d", "--requests-per-minute", "10000"),
            ops = await KeysAsync("create", "ops", "--admin");
        await using var server = await ServeProcess.StartInAsync(_data, "--keys", Keys);
        server.Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", first);
        using var stream = await server.BeginLongStreamAsync(1500);
        var own = await DeferAsync(server);

        var second = await KeysAsync("rotate", "app", "--overlap", "0s");
        await UntilAsync(async () => await StatusAsync(server, first) == HttpStatusCode.Unauthorized);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, second));
        Assert.EndsWith("[DONE]", (await stream.ReadToEndAsync()).TrimEnd(), StringComparison.Ordinal);
        // What it sent before is still its own.
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, second, "/v1/requests/" + own));
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(server, second, "/manage/queues"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, ops, "/manage/queues"));
        Assert.Equal(HttpStatusCode.Forbidden, await StatusAsync(server, ops));

        ChatCompletion answer = await Chat(server, second).CompleteChatAsync(new UserChatMessage("What is 12 + 30?"));
        Assert.Equal("42", answer.Content[0].Text);
        var refused = await Assert.ThrowsAsync<ClientResultException>(() => Chat(server, first).CompleteChatAsync(new UserChatMessage("hi")));
        Assert.Equal(401, refused.Status);

        // A slip of the pen changes nothing, and is said.
        var good = await File.ReadAllTextAsync(Keys);
        await File.WriteAllTextAsync(Keys, good.Replace("\"scopes\"", "\"scoops\"", StringComparison.Ordinal));
        await server.UntilSaidAsync("keys[0] has 'scoops'");
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, second));
        await File.WriteAllTextAsync(Keys, good);
        await KeysAsync("revoke", "app");
        await UntilAsync(async () => await StatusAsync(server, second) == HttpStatusCode.Unauthorized);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, ops, "/manage/queues"));

        foreach (var secret in (string[])[first, second, ops])
        {
            Assert.DoesNotContain(secret, server.Output, StringComparison.Ordinal);
            Assert.DoesNotContain(secret, await File.ReadAllTextAsync(Keys), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_deployment_makes_its_first_key_once()
    {
        var first = await KeysAsync("create", "operator", "--if-missing");
        var written = await File.ReadAllTextAsync(Keys);
        Assert.NotEmpty(first);
        Assert.Empty(await KeysAsync("create", "operator", "--if-missing"));
        Assert.Equal(written, await File.ReadAllTextAsync(Keys));
        Assert.NotEmpty(await KeysAsync("create", "other", "--if-missing"));
    }

    [Fact]
    public async Task A_token_is_as_good_as_a_key()
    {
        await using var provider = await StandInProvider.StartAsync();
        await using var server = await ServeProcess.StartInAsync(
            _data, "--entra-authority", provider.Authority, "--entra-audience", $"https://example.com/other,{StandInProvider.Audience}", "--api-key",
            "plain");
        var now = TimeProvider.System.GetUtcNow();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(server, "plain"));
        var files = await server.MappedFilesAsync();
        foreach (var unused in (string[])["IdentityModel", "Azure.Messaging", "Azure.Amqp"])
            Assert.DoesNotContain(unused, files, StringComparison.Ordinal);
        string token = provider.Token(now), operators = provider.Token(now, claims => claims["roles"] = new JsonArray("R1.Admin"));
        ChatCompletion answer = await Chat(server, token).CompleteChatAsync(new UserChatMessage("What is 12 + 30?"));
        Assert.Equal("42", answer.Content[0].Text);
        Assert.Equal((HttpStatusCode.Forbidden, HttpStatusCode.OK),
            (await StatusAsync(server, token, "/manage/queues"), await StatusAsync(server, operators, "/manage/queues")));
        var refused =
            await Assert.ThrowsAsync<ClientResultException>(
                () => Chat(server, provider.Token(now.AddDays(-1))).CompleteChatAsync(new UserChatMessage("hi")));
        Assert.Equal(401, refused.Status);
        Assert.Contains("The token has expired", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Wrong_places_are_said_before_anything_starts()
    {
        (var Code, var Output) = await ServeProcess.RefusedAsync("--keys", Keys);
        Assert.Equal(1, Code);
        Assert.Contains($"There is no {Keys}: make the first key with r1 keys create NAME --keys {Keys}", Output, StringComparison.Ordinal);
        await File.WriteAllTextAsync(Keys, """{"version":1,"keys":[{}]}""");
        (Code, Output) = await ServeProcess.RefusedAsync("--keys", Keys);
        Assert.Equal(1, Code);
        Assert.Contains("can't be used: keys[0].name is missing", Output, StringComparison.Ordinal);
        (Code, Output) = await ServeProcess.RefusedAsync("--entra-tenant", "contoso.com", "--entra-audience", "a");
        Assert.Equal(1, Code);
        Assert.Contains("--entra-tenant must be the tenant's id", Output, StringComparison.Ordinal);

        var (code, _, errors) = await ModelCommandTests.RunAsync("keys", "list");
        Assert.Equal((1, true), (code, errors.Contains("Say where the keys are kept", StringComparison.Ordinal)));
        (code, _, errors) = await ModelCommandTests.RunAsync("keys", "create", "a b", "--keys", Keys);
        Assert.Equal((1, true), (code, errors.Contains("NAME must be 1 to 64 letters", StringComparison.Ordinal)));
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(30));
        while (!await condition()) limit.Token.ThrowIfCancellationRequested();
    }

    private static async Task<HttpStatusCode> StatusAsync(ServeProcess server, string key, string path = "/v1/models")
    {
        HttpRequestMessage request = new(HttpMethod.Get, path) { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", key) } };
        using var response = await server.Client.SendAsync(request);
        return response.StatusCode;
    }

    private static async Task<string> DeferAsync(ServeProcess server)
    {
        var request = ServeProcess.Ask("What is 12 + 30?");
        request.Headers.Add("Prefer", "respond-async");
        using var response = await server.Client.SendAsync(request);
        using var body = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        return body.RootElement.GetProperty("id").GetString()!;
    }

    private static ChatClient Chat(ServeProcess server, string key) => new(
        ServeProcess.Model, new ApiKeyCredential(key),
        new OpenAIClientOptions { Endpoint = new Uri(server.Client.BaseAddress!, "/v1"), RetryPolicy = new ClientRetryPolicy(0) });

    private async Task<string> KeysAsync(params string[] arguments)
    {
        var (code, output, errors) = await ModelCommandTests.RunAsync(["keys", .. arguments, "--keys", Keys]);
        Assert.True(code == 0, errors);
        return output.Trim();
    }
}
