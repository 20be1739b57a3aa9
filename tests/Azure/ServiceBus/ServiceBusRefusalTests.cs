using Azure.Core;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Abstractions;
using R1Serverless.Azure.ServiceBus;
using R1Serverless.Queues;
using R1Serverless.Storage;
using R1Serverless.Tests.Auth;

namespace R1Serverless.Tests.Azure.ServiceBus;

/// <summary>Keys, tokens, ways to connect and missing queues: what is asked of the service, and what the operator reads when it refuses.</summary>
public sealed class ServiceBusRefusalTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("nothing", "can't be read: it has the form 'Endpoint=sb://")]
    [InlineData("Endpoint=sb://x/;SharedAccessKeyName=a;SharedAccessKey=b;EntityPath=q", "is one queue's")]
    [InlineData("Endpoint=sb://x/;SharedAccessKeyName=a", "can't be read")]
    [InlineData("Endpoint=sb://x/;SharedAccessKey=b", "can't be read")]
    [InlineData("Endpoint=;SharedAccessKeyName=a;SharedAccessKey=b", "can't be read")]
    public void A_connection_string_that_is_none_is_explained(string connection, string sentence) =>
    AssertRefused(new() { ConnectionString = connection }, sentence);

    [Fact]
    public void Options_that_can_not_be_used_are_explained()
    {
        AssertRefused(new(), "give either a connection string or a namespace");
        AssertRefused(new() { Namespace = "n", ConnectionString = "Endpoint=sb://x/;SharedAccessKeyName=a;SharedAccessKey=b" }, "give either");
        AssertRefused(new() { Namespace = "n", LeaseTime = TimeSpan.FromMinutes(6) }, "a lock lasts");
        AssertRefused(new() { Namespace = "n", EntityPrefix = "/" }, "can't begin the names");
        AssertRefused(new() { Namespace = "n/q" }, "is no namespace");
    }

    [Theory]
    [InlineData("Endpoint=sb://n.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey=a==", null, "n.servicebus.windows.net")]
    [InlineData(null, "n", "n.servicebus.windows.net")]
    [InlineData(null, "sb://n.servicebus.usgovcloudapi.net/", "n.servicebus.usgovcloudapi.net")]
    public async Task Namespaces_are_found_by_name_and_host(string? connection, string? name, string host)
    {
        await using BusClient client = new(new() { ConnectionString = connection, Namespace = name }, TimeProvider.System, NullLogger.Instance);
        Assert.Equal(host, client.Host);
    }

    [Fact]
    public async Task A_wrong_key_is_explained()
    {
        await using ServiceBusFixture fixture = new();
        fixture.Options =
            fixture.Options with
            {
                ConnectionString =
            fixture.Broker.ConnectionString.Replace("SharedAccessKey=", "SharedAccessKey=x", StringComparison.Ordinal)
            };
        var fault = await Assert.ThrowsAsync<TransportException>(async () => await fixture.ConnectAsync());
        Assert.Matches("shared access key .* '(r1-[a-z]+|inference-jobs)' .* Send and Listen", fault.Message);
        Assert.True(fault.IsPermanent);
    }

    [Fact]
    public async Task A_missing_queue_is_named()
    {
        await using ServiceBusFixture fixture = new(options => options with { Queues = ["r1-interactive", "r1-replies", "inference-jobs"] });
        var fault = await Assert.ThrowsAsync<TransportException>(async () => await fixture.ConnectAsync());
        Assert.Contains("'r1-bulk'", fault.Message, StringComparison.Ordinal);
        Assert.True(fault.IsPermanent);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_identity_shows_its_token_for_every_queue_over_an_encrypted_connection(bool isGood)
    {
        using var certificate = StandInVault.Certificate();
        await using ServiceBusFixture fixture = new(options => options with { Scheme = "amqps", Certificate = certificate });
        fixture.Broker.Claims.IsGood = token => isGood && token == Identity.Token;
        await using var transport = fixture.New(new ServiceBusOptions
        {
            Namespace = "localhost",
            Credential = new Identity(),
            Endpoint = new Uri($"amqps://localhost:{fixture.Broker.Port}"),
            CertificateCheck = (_, shown, _, _) => shown?.GetCertHashString() == certificate.GetCertHashString(),
            LeaseTime = ServiceBusFixture.LockTime,
        });
        if (isGood)
        {
            await transport.OpenAsync(Stop);
            await AssertWorksAsync(transport);
            var addresses =
                await fixture.Broker.AskAsync(
                    () => fixture.Broker.Claims.History.Where(shown => shown.Token == Identity.Token).Select(shown => shown.Address).Distinct()
                    .ToArray());
            Assert.Superset(new HashSet<string>(["r1-interactive", "r1-bulk", "inference-jobs", "r1-replies"], StringComparer.Ordinal),
                new HashSet<string>(addresses, StringComparer.Ordinal));
            return;
        }

        var fault = await Assert.ThrowsAsync<TransportException>(async () => await transport.OpenAsync(Stop));
        Assert.Matches("'Azure Service Bus Data Sender' and 'Azure Service Bus Data Receiver'", fault.Message);
        Assert.True(fault.IsPermanent);
    }

    [Fact]
    public async Task A_certificate_that_nobody_vouches_for_is_refused()
    {
        using var certificate = StandInVault.Certificate();
        await using ServiceBusFixture fixture = new(options => options with { Scheme = "amqps", Certificate = certificate });
        await using var transport =
            fixture.New(
            new ServiceBusOptions
            {
                Namespace = "localhost", Credential = new Identity(),
                Endpoint = new Uri($"amqps://localhost:{fixture.Broker.Port}")
            });
        var fault = await Assert.ThrowsAsync<TransportException>(async () => await transport.OpenAsync(Stop));
        Assert.Contains("encrypted", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task WebSockets_are_used_where_asked_for()
    {
        await using ServiceBusFixture fixture = new(options => options with { Scheme = "ws" });
        fixture.Options = fixture.Options with { UseWebSockets = true };
        await AssertWorksAsync(await fixture.ConnectAsync());
    }

    private static void AssertRefused(ServiceBusOptions options, string sentence)
    {
        var fault = Assert.Throws<TransportException>(() => new BusClient(options, TimeProvider.System, NullLogger.Instance));
        Assert.Contains(sentence, fault.Message, StringComparison.Ordinal);
        Assert.True(fault.IsPermanent);
    }

    /// <summary>A request there and a reply back.</summary>
    private static async Task AssertWorksAsync(Transport transport)
    {
        await transport.Queue.EnqueueAsync(
            [new QueuedRequest { Class = WorkClass.Bulk, Request = new() { Id = new("a"), Model = "m", Prompt = new Prompt.Text("x") } }], Stop);
        var lease = Assert.Single(await transport.Queue.LeaseAsync(WorkClass.Bulk, 1, TimeSpan.FromSeconds(30), Stop));
        await transport.Replies.SendAsync(transport.Replies.Address, [new Reply(lease.Message.Request.Id, 1, 0, [])], Stop);
        await using var replies = transport.Replies.ReceiveAsync(Stop).GetAsyncEnumerator(Stop);
        Assert.True(await replies.MoveNextAsync());
        Assert.Equal(lease.Message.Request.Id, replies.Current.Id);
        Assert.True(await lease.CompleteAsync(Stop));
    }

    private sealed class Identity : TokenCredential
    {
        public const string Token = "an identity's token";

        public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            new(Token, TimeProvider.System.GetUtcNow().AddHours(1));

        public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            new(GetToken(requestContext, cancellationToken));
    }
}
