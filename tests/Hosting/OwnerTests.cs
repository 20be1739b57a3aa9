using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using R1Serverless.Serving;

namespace R1Serverless.Tests.Hosting;

/// <summary>Whose a request is.</summary>
public sealed class OwnerTests
{
    [Fact]
    public async Task A_request_carries_the_fingerprint_of_its_key_and_never_the_key()
    {
        var inference = FakeInference.Thoughtful();
        await using var server = await TestServer.StartAsync(inference, new ServeOptions { ApiKeys = ["one", "two"] });
        foreach (var key in (string[])["one", "two", "one"])
        {
            var request = TestServer.Post("/v1/chat/completions", Encoding.UTF8.GetBytes(TestServer.Chat()));
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
            (await server.Client.SendAsync(request)).EnsureSuccessStatusCode();
        }

        string[] expected =
            [.. ((string[])["one", "two", "one"]).Select(key => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..16])];
        Assert.Equal(expected, inference.Requests.Select(request => request.Owner));
    }

    [Fact]
    public async Task Without_keys_nobody_owns_a_request()
    {
        var inference = FakeInference.Thoughtful();
        await using var server = await TestServer.StartAsync(inference);
        var request = TestServer.Post("/v1/chat/completions", Encoding.UTF8.GetBytes(TestServer.Chat()));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "whatever");
        (await server.Client.SendAsync(request)).EnsureSuccessStatusCode();
        Assert.Equal("", Assert.Single(inference.Requests).Owner);
    }
}
