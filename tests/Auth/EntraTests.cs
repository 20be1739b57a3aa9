using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using R1Serverless.Auth;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Auth;

/// <summary>Tokens instead of keys, over HTTP, with a provider on this machine.</summary>
public sealed class EntraTests : IAsyncLifetime
{
    private readonly FakeInference _inference = FakeInference.Thoughtful();
    private StandInProvider _provider = null!;
    private TestServer _server = null!;

    public async ValueTask InitializeAsync()
    {
        _provider = await StandInProvider.StartAsync();
        _server = await TestServer.StartAsync(_inference,
            new ServeOptions { ApiKeys = ["plain"], Entra = new EntraOptions(null, [StandInProvider.Audience], _provider.Authority) });
    }

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        await _provider.DisposeAsync();
    }

    [Fact]
    public async Task A_token_opens_what_its_roles_say_and_keys_go_on()
    {
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("plain")).Status);
        Assert.Equal(0, _provider.Visits);
        (Action<JsonObject> Change, int Models, int Admin)[] expected =
        [
            (_ => { }, 200, 403), (claims => claims["roles"] = new JsonArray("R1.Admin"), 403, 404),
                (claims => claims["roles"] = new JsonArray("R1.Admin", "R1.Inference"), 200, 404),
            (claims => claims["roles"] = "R1.Inference", 200, 403), (claims => claims.Remove("roles"), 403, 403),
                (claims => claims["roles"] = new JsonArray("Other", "r1.inference"), 403, 403),
            (Delegated, 200, 403),
        ];
        for (var i = 0; i < expected.Length; i++)
        {
            var token = _provider.Token(TimeProvider.System.GetUtcNow(), expected[i].Change);
            Assert.Equal((i, expected[i].Models), (i, (int)(await GetAsync(token)).Status));
            Assert.Equal((i, expected[i].Admin), (i, (int)(await GetAsync(token, "/manage/nothing")).Status));
        }

        Assert.Equal(1, _provider.Visits);

        static void Delegated(JsonObject claims)
        {
            claims.Remove("roles");
            claims["scp"] = "profile R1.Inference R1.Admin";
        }
    }

    [Fact]
    public async Task Whatever_is_wrong_with_a_token_it_opens_nothing()
    {
        var now = TimeProvider.System.GetUtcNow();
        using var other = RSA.Create(2048);
        var good = _provider.Token(now);
        (string Token, string Said)[] wrong =
        [
            (_provider.Token(now, claims => claims["exp"] = now.AddMinutes(-3).ToUnixTimeSeconds()), "The token has expired"),
            (_provider.Token(now, claims => claims["nbf"] = now.AddMinutes(10).ToUnixTimeSeconds()), "The token has expired, or is not valid yet"),
            (_provider.Token(now, claims => claims.Remove("exp")), "The token "),
            (_provider.Token(now, claims => claims["aud"] = "api://another"), "The token was made for another audience"),
            (_provider.Token(now, claims => claims["iss"] = "https://login.example.com/v2.0"), "The token is from another issuer"),
            (_provider.Token(now, claims => claims["iss"] = "https://sts.windows.net//"), "The token is from another issuer"),
            (_provider.Token(now, algorithm: "none"), "The token "),
            (_provider.Token(now, algorithm: "HS256"), "The token "),
            (_provider.Token(now, key: other), "The token "),
            (good[..^8] + "AAAAAAAA", "The token "),
            (Swap(good, _provider.Token(now, claims => claims["roles"] = new JsonArray("R1.Admin"))), "The token "),
            (_provider.Token(now, WithoutSubject), "The token does not say whose it is"),
            ("eyJ.eyJ.AAAA", "The token is not valid here"),
        ];
        foreach (var (token, said) in wrong)
        {
            var (status, code, message, challenge) = await GetAsync(token);
            Assert.Equal((HttpStatusCode.Unauthorized, "invalid_token", "Bearer error=\"invalid_token\""), (status, code, challenge));
            Assert.StartsWith(said, message, StringComparison.Ordinal);
        }

        Assert.Equal(HttpStatusCode.OK, (await GetAsync(good)).Status);

        static void WithoutSubject(JsonObject claims)
        {
            claims.Remove("oid");
            claims.Remove("sub");
        }
    }

    [Fact]
    public async Task The_owner_is_whoever_the_token_is_about_whatever_the_token()
    {
        var now = TimeProvider.System.GetUtcNow();
        foreach (var token in (string[])[_provider.Token(now), _provider.Token(now.AddSeconds(1)),
            _provider.Token(now, claims => claims["oid"] = "another"), _provider.Token(now, claims => claims["tid"] = "another")])
        {
            var request = TestServer.Post("/v1/chat/completions", Encoding.UTF8.GetBytes(TestServer.Chat()));
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            (await _server.Client.SendAsync(request)).EnsureSuccessStatusCode();
        }

        string[] owners = [.. _inference.Requests.Select(request => request.Owner)];
        Assert.Equal(owners[0], owners[1]);
        Assert.Equal(3, owners.Distinct().Count());
        Assert.All(owners, owner => Assert.Matches("^[0-9a-f]{16}$", owner));
    }

    [Fact]
    public async Task New_keys_of_the_provider_are_taken_over()
    {
        var now = TimeProvider.System.GetUtcNow();
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(_provider.Token(now))).Status);
        _provider.RollKeys();
        // The new keys are fetched beside the first request that names one.
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(20));
        while ((await GetAsync(_provider.Token(now))).Status != HttpStatusCode.OK) limit.Token.ThrowIfCancellationRequested();
    }

    [Fact]
    public async Task A_provider_that_is_away_is_503_and_keys_go_on()
    {
        var now = TimeProvider.System.GetUtcNow();
        var token = _provider.Token(now);
        await _provider.DisposeAsync();
        var (status, code, _, _) = await GetAsync(token);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "issuer_unavailable"), (status, code));
        Assert.Equal(HttpStatusCode.OK, (await GetAsync("plain")).Status);
    }

    [Theory]
    [InlineData(null, "a", null, "--entra-audience")]
    [InlineData("72f988bf-86f1-41af-91ab-2d7cd011db47", "", null, "Tokens must")]
    [InlineData("contoso.com", "a", null, "--entra-tenant")]
    [InlineData(null, "a", "http://login.example.com", "--entra-authority")]
    [InlineData(null, "a", "https://login.example.com?x=1", "--entra-authority")]
    [InlineData(null, "a", "https://login.example.com/v2.0/", null)]
    [InlineData("72f988bf-86f1-41af-91ab-2d7cd011db47", "a", null, null)]
    public void Options_that_make_no_sense_are_refused(string? tenant, string audience, string? authority, string? said)
    {
        var refusal = EntraOptions.Of(tenant, audience.Length > 0 ? [audience] : [], authority)!.Refusal;
        if (said is null) Assert.Null(refusal);
        else Assert.StartsWith(said, refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tenants_metadata_and_issuers_are_where_microsoft_says()
    {
        EntraOptions entra = new("72f988bf-86f1-41af-91ab-2d7cd011db47", ["a"]);
        Assert.Equal("https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0/.well-known/openid-configuration",
            entra.Metadata.AbsoluteUri);
        Assert.Equal(["https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/"], entra.OtherIssuers);
    }

    /// <summary>The claims of one token under the signature of another.</summary>
    private static string Swap(string signature, string claims) => $"{claims[..claims.LastIndexOf('.')]}{signature[signature.LastIndexOf('.')..]}";

    private async Task<(HttpStatusCode Status, string? Code, string? Message, string? Challenge)> GetAsync(string token, string path = "/v1/models")
    {
        HttpRequestMessage request = new(HttpMethod.Get, path) { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", token) } };
        var response = await _server.Client.SendAsync(request);
        if (response.IsSuccessStatusCode) return (response.StatusCode, null, null, null);
        var error = (await TestServer.JsonAsync(response)).GetProperty("error");
        return (response.StatusCode, error.GetProperty("code").GetString(), error.GetProperty("message").GetString(),
            response.Headers.WwwAuthenticate.SingleOrDefault()?.ToString());
    }
}
