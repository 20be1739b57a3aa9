using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace R1Serverless.Tests.Auth;

/// <summary>An OpenID provider on this machine: discovery document, keys, and tokens signed by hand.</summary>
internal sealed class StandInProvider : IAsyncDisposable
{
    public const string Audience = "api://r1-tests";
    private readonly WebApplication _app;
    private RSA _key = RSA.Create(2048);
    private string _keyId = "first";
    private int _visits;

    private StandInProvider(WebApplication app) => _app = app;

    /// <summary>Also the issuer.</summary>
    public string Authority { get; private set; } = "";

    /// <summary>How often the discovery document has been fetched.</summary>
    public int Visits => Volatile.Read(ref _visits);

    public static async Task<StandInProvider> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        StandInProvider provider = new(app);
        app.MapGet("/tenant/v2.0/.well-known/openid-configuration", () =>
        {
            Interlocked.Increment(ref provider._visits);
            return Results.Text($$"""{"issuer":"{{provider.Authority}}","jwks_uri":"{{provider.Authority}}/keys"}""", "application/json");
        });
        app.MapGet("/tenant/v2.0/keys", () => Results.Text(provider.Keys(), "application/json"));
        await app.StartAsync();
        provider.Authority = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single() + "/tenant/v2.0";
        return provider;
    }

    /// <summary>Signs with a new key from now on, and forgets the old one.</summary>
    public void RollKeys() => (_key, _keyId) = (RSA.Create(2048), Guid.NewGuid().ToString("N"));

    /// <param name="change">Makes of good claims what the test wants.</param>
    public string Token(DateTimeOffset now, Action<JsonObject>? change = null, string algorithm = "RS256", RSA? key = null)
    {
        JsonObject claims = new()
        {
            ["iss"] = Authority, ["aud"] = Audience, ["nbf"] = now.ToUnixTimeSeconds(), ["exp"] = now.AddHours(1).ToUnixTimeSeconds(),
            ["tid"] = "tenant", ["oid"] = "somebody",
            ["sub"] = "pairwise", ["roles"] = new JsonArray("R1.Inference"),
        };
        change?.Invoke(claims);
        var head =
            Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(new JsonObject { ["typ"] = "JWT", ["alg"] = algorithm, ["kid"] = _keyId }));
        var signed = $"{head}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims.ToJsonString()))}";
        var signature = algorithm switch
        {
            "none" => [],
            "HS256" => HMACSHA256.HashData(_key.ExportSubjectPublicKeyInfo(), Encoding.ASCII.GetBytes(signed)),
            _ => (key ?? _key).SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
        };
        return $"{signed}.{Base64Url.EncodeToString(signature)}";
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private string Keys()
    {
        var key = _key.ExportParameters(includePrivateParameters: false);
        return $$"""{"keys":[{"kty":"RSA","use":"sig","kid":"{{_keyId}}","n":"{{Base64Url.EncodeToString(key.Modulus)}}","e":"{{Base64Url.EncodeToString(key.Exponent)}}"}]}""";
    }
}
