using Azure.Core;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.ServiceBus;
using R1Serverless.Requests;

namespace R1Serverless.Tests.Queues.ServiceBus;

/// <summary>Keys, tokens and missing queues: what is asked of the service, and what the operator reads when it refuses.</summary>
public sealed class ServiceBusRefusalTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("nothing", "can't be read: it has the form 'Endpoint=sb://")]
    [InlineData("Endpoint=sb://x/;SharedAccessKeyName=a;SharedAccessKey=b;EntityPath=q", "is one queue's")]
    [InlineData("Endpoint=https://x/;SharedAccessKeyName=a;SharedAccessKey=b", "can't be read")]
    public void A_connection_string_that_is_none_is_explained(string connection, string sentence)
    {
        TransportException fault = Assert.Throws<TransportException>(() => ServiceBusEndpoint.Of(new ServiceBusOptions { ConnectionString = connection }));
        Assert.Contains(sentence, fault.Message, StringComparison.Ordinal);
        Assert.True(fault.IsPermanent);
    }

    [Fact]
    public void Endpoints_are_read()
    {
        Assert.Equal(new ServiceBusEndpoint("n.servicebus.windows.net", 5671, true, "k", "a=="), ServiceBusEndpoint.Of(new() { ConnectionString = "Endpoint=sb://n.servicebus.windows.net/;SharedAccessKeyName=k;SharedAccessKey=a==" }));
        Assert.Equal(new ServiceBusEndpoint("localhost", 5672, false, "k", "a"), ServiceBusEndpoint.Of(new() { ConnectionString = "Endpoint=sb://localhost;SharedAccessKeyName=k;SharedAccessKey=a;UseDevelopmentEmulator=true;" }));
        Assert.Equal(new ServiceBusEndpoint("n.servicebus.windows.net", 5671, true, null, null), ServiceBusEndpoint.Of(new() { Namespace = "n" }));
        Assert.Equal("n.servicebus.usgovcloudapi.net", ServiceBusEndpoint.Of(new() { Namespace = "n.servicebus.usgovcloudapi.net" }).Host);
        Assert.Throws<TransportException>(() => ServiceBusEndpoint.Of(new()));
        Assert.Throws<TransportException>(() => ServiceBusEndpoint.Of(new() { Namespace = "n", LeaseTime = TimeSpan.FromMinutes(6) }));
        Assert.Throws<TransportException>(() => ServiceBusEndpoint.Of(new() { Namespace = "n", EntityPrefix = "/" }));
    }

    [Fact]
    public async Task A_wrong_key_is_explained()
    {
        await using ServiceBusFixture fixture = new();
        fixture.Options = fixture.Options with { ConnectionString = fixture.Broker.ConnectionString.Replace("SharedAccessKey=", "SharedAccessKey=x", StringComparison.Ordinal) };
        TransportException fault = await Assert.ThrowsAsync<TransportException>(async () => await fixture.ConnectAsync());
        Assert.Equal("localhost refuses the shared access key: check the connection string.", fault.Message);
        Assert.True(fault.IsPermanent);
    }

    [Fact]
    public async Task A_missing_queue_is_named()
    {
        await using ServiceBusFixture fixture = new(options => options with { Queues = ["r1-interactive", "r1-replies"] });
        TransportException fault = await Assert.ThrowsAsync<TransportException>(async () => await fixture.ConnectAsync());
        Assert.StartsWith("There is no queue 'r1-bulk' at localhost: create it", fault.Message, StringComparison.Ordinal);
        Assert.True(fault.IsPermanent);
    }

    [Fact]
    public async Task A_refused_token_is_explained()
    {
        await using ServiceBusFixture fixture = new();
        fixture.Broker.Claims.IsGood = _ => false;
        await using ServiceBusTransport transport = fixture.New(new ServiceBusOptions { Namespace = $"localhost:{fixture.Broker.Port}", IsPlain = true, Credential = new Tokens(fixture.Time) });
        TransportException fault = await Assert.ThrowsAsync<TransportException>(async () => await transport.OpenAsync(Stop));
        Assert.Equal("This identity may not use queue 'r1-interactive' at localhost: give it the roles 'Azure Service Bus Data Sender' and 'Azure Service Bus Data Receiver' (or 'Azure Service Bus Data Owner') on the namespace.", fault.Message);
        Assert.True(fault.IsPermanent);
    }

    [Fact]
    public async Task Tokens_are_shown_for_every_address_and_refreshed_before_they_expire()
    {
        await using ServiceBusFixture fixture = new();
        WatchedTime time = new();
        fixture.Broker.Claims.Now = () => time.GetUtcNow().UtcDateTime;
        Tokens tokens = new(time);
        ServiceBusOptions options = new() { Namespace = $"localhost:{fixture.Broker.Port}", IsPlain = true, Credential = tokens, LeaseTime = ServiceBusFixture.LockTime };
        await using ServiceBusTransport transport = new(options, fixture.Store, time, NullLogger.Instance);
        await transport.OpenAsync(Stop);
        Assert.Equal(["r1-interactive", "r1-bulk", "inference-jobs", "r1-replies"], await ShownAsync(fixture, "token 1"));

        // Each step is shorter than a token's life, the whole is several.
        for (int number = 2; number <= 4; number++)
        {
            string token = $"token {number}";
            await time.UntilAwaitedByAsync<AccessClaims>();
            time.Advance(Tokens.Life * 0.8);
            while ((await ShownAsync(fixture, token)).Count < 4) await fixture.Broker.PassAsync();
            await fixture.Broker.PassAsync();
            await transport.Queue.EnqueueAsync([new QueuedRequest { Class = WorkClass.Bulk, Request = new() { Id = new($"a{number}"), Model = "m", Prompt = new Prompt.Text("x") } }], Stop);
        }

        Assert.Equal(4, tokens.Given);
        Assert.Equal(3, await fixture.Broker.AskAsync(() => fixture.Broker.Queue("r1-bulk").Count));
    }

    private static Task<List<string>> ShownAsync(ServiceBusFixture fixture, string token) =>
        fixture.Broker.AskAsync(() => fixture.Broker.Claims.History.Where(shown => shown.Token == token).Select(shown => shown.Address).ToList());

    private sealed class Tokens(TimeProvider time) : TokenCredential
    {
        private int _given;

        public static TimeSpan Life { get; } = TimeSpan.FromHours(1);

        public int Given => _given;

        public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken) => new($"token {Interlocked.Increment(ref _given)}", time.GetUtcNow() + Life);

        public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken) => new(GetToken(requestContext, cancellationToken));
    }
}
