using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Nodes;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Security.KeyVault.Secrets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using R1Serverless.Azure.KeyVault;

namespace R1Serverless.Tests.Auth;

/// <summary>The part of Key Vault's REST interface that secrets need, as documented: challenge, GET and PUT, one version after another.</summary>
internal sealed class StandInVault : IAsyncDisposable
{
    private const string Token = "a-token-for-the-vault";
    private readonly WebApplication _app;
    private readonly X509Certificate2 _certificate;
    private readonly List<string> _versions = [];

    private StandInVault(WebApplication app, X509Certificate2 certificate) => (_app, _certificate) = (app, certificate);

    /// <summary>What is answered instead; 200 for nothing else.</summary>
    public HttpStatusCode Status { get; set; } = HttpStatusCode.OK;

    public string Address { get; private set; } = "";

    public int Challenges { get; private set; }

    public static async Task<StandInVault> StartAsync()
    {
        var certificate = Certificate();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(certificate)));
        var app = builder.Build();
        StandInVault vault = new(app, certificate);
        app.Run(vault.AnswerAsync);
        await app.StartAsync();
        vault.Address =
            app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()
                .Replace("[::]", "127.0.0.1", StringComparison.Ordinal) + "/secrets/api-keys";
        return vault;
    }

    /// <summary>The product's source over this vault, which it trusts by its certificate alone.</summary>
    public VaultKeys Keys(string suffix = "") => Keys(Address + suffix, TimeSpan.FromMinutes(1));

    /// <param name="patience">With an answer.</param>
    public VaultKeys Keys(string address, TimeSpan patience)
    {
        SocketsHttpHandler handler = new()
        {
            SslOptions = { CertificateChainPolicy =
                new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, CustomTrustStore = { _certificate },
                RevocationMode = X509RevocationMode.NoCheck } },
        };
        SecretClientOptions options =
            new()
            {
                Transport = new HttpClientTransport(new HttpClient(handler)), DisableChallengeResourceVerification = true,
                Retry = { MaxRetries = 1, Delay = TimeSpan.FromMilliseconds(1), NetworkTimeout = patience }
            };
        return new VaultKeys(new Uri(address), new FixedCredential(), options);
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _certificate.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (context.Request.Headers.Authorization != $"Bearer {Token}")
        {
            Challenges++;
            context.Response.Headers.WWWAuthenticate = "Bearer "
                + "authorization=\"https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47\", resource=\"https://vault.azure.net\"";
            context.Response.StatusCode = 401;
            return;
        }

        var path = context.Request.Path.Value!.Split('/', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["secrets", "api-keys"], path[..2]);
        Assert.True(context.Request.Query.ContainsKey("api-version"));
        if (Status != HttpStatusCode.OK)
        {
            await FailAsync(context, Status, "Forbidden");
            return;
        }

        if (HttpMethods.IsPut(context.Request.Method)) _versions.Add((await JsonNode.ParseAsync(context.Request.Body))!["value"]!.GetValue<string>());
        var version = path.Length > 2 ? int.Parse(path[2]) : _versions.Count;
        if (version == 0 || version > _versions.Count)
        {
            await FailAsync(context, HttpStatusCode.NotFound, "SecretNotFound");
            return;
        }

        JsonObject secret =
            new() { ["value"] = _versions[version - 1], ["id"] = $"{Address}/{version}", ["attributes"] = new JsonObject { ["enabled"] = true } };
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(secret.ToJsonString());
    }

    private static Task FailAsync(HttpContext context, HttpStatusCode status, string code)
    {
        (context.Response.StatusCode, context.Response.ContentType) = ((int)status, "application/json");
        return context.Response.WriteAsync(JsonSerializer.Serialize(new { error = new { code, message = $"The vault says {code}." } }));
    }

    internal static X509Certificate2 Certificate()
    {
        using var key = RSA.Create(2048);
        CertificateRequest request = new("CN=127.0.0.1", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        SubjectAlternativeNameBuilder names = new();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var made = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }

    private sealed class FixedCredential : TokenCredential
    {
        public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            new(Token, DateTimeOffset.MaxValue);

        public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken)
        {
            Assert.Equal(["https://vault.azure.net/.default"], requestContext.Scopes);
            return ValueTask.FromResult(GetToken(requestContext, cancellationToken));
        }
    }
}
