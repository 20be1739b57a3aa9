using System.Net.Sockets;
using Azure;
using Azure.Core;
using Azure.Identity;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Azure.Storage;
using R1Serverless.Serving;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Azure.Storage;

/// <summary>What the operator reads when the account, the identity or the options are wrong.</summary>
public sealed class StorageFaultTests(AzuriteFixture azurite)
{
    private static readonly StorageOptions Account = new() { Account = "someaccount", Credential = new AnyToken() };

    public static TheoryData<int, string, string, bool> Refusals => new()
    {
        { 403, "AuthorizationPermissionMismatch", "give it the role 'Storage Blob Data Contributor' on the storage account", true },
        { 403, "AuthorizationFailure", "network rules", true },
        { 403, "AccountIsDisabled", "is disabled", true },
        { 401, "InvalidAuthenticationInfo", "check the connection string's key", true },
        { 503, "ServerBusy", "answers 503 ServerBusy", false },
        { 409, "ContainerBeingDeleted", "in a minute", false },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task A_refusal_says_what_to_do(int status, string code, string sentence, bool isPermanent)
    {
        BlobStore store = new(Account with { Http = new FaultyHttp(_ => new Refusal(status, code)) });

        var fault = await Assert.ThrowsAsync<TransportException>(async () => await store.OpenAsync(CancellationToken.None));

        Assert.Contains(sentence, fault.Message, StringComparison.Ordinal);
        Assert.Contains("someaccount.blob.core.windows.net", fault.Message, StringComparison.Ordinal);
        Assert.Equal(isPermanent, fault.IsPermanent);
    }

    [Fact]
    public async Task Who_only_reads_models_is_told_a_readers_role_and_who_makes_the_container()
    {
        foreach (var (status, code, sentence) in new[] { (403, "AuthorizationPermissionMismatch", "give it the role 'Storage Blob Data Reader'"),
            (404, "ContainerNotFound", "has been deleted; `r1 model push NAME --activate` makes it again") })
        {
            BlobStore store = new(RepositoryAddress.Reading(Account with { Http = new FaultyHttp(_ => new Refusal(status, code)) }));

            var fault = await Assert.ThrowsAsync<TransportException>(async () => await store.GetAsync("models/m/active", CancellationToken.None));

            Assert.Contains(sentence, fault.Message, StringComparison.Ordinal);
            Assert.DoesNotContain("restart", fault.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(SocketError.HostNotFound, "someaccount.blob.core.windows.net", true)]
    [InlineData(SocketError.ConnectionRefused, "can't be reached", false)]
    public async Task An_account_that_is_not_there_is_told_from_one_that_can_not_be_reached(SocketError error, string sentence, bool isPermanent)
    {
        FaultyHttp absent =
            new(_ => throw new RequestFailedException(0, "no way", null, new HttpRequestException("no way", new SocketException((int)error))));
        BlobStore store = new(Account with { Http = absent });

        var fault = await Assert.ThrowsAsync<TransportException>(async () => await store.OpenAsync(CancellationToken.None));

        Assert.Contains(sentence, fault.Message, StringComparison.Ordinal);
        Assert.Equal(isPermanent, fault.IsPermanent);
    }

    [Fact]
    public async Task A_process_without_an_identity_is_told_how_to_get_one()
    {
        BlobStore store = new(Account with { Credential = new NoToken() });

        var fault = await Assert.ThrowsAsync<TransportException>(async () => await store.OpenAsync(CancellationToken.None));

        Assert.True(fault.IsPermanent);
        Assert.Contains("managed identity", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wrong_key_is_the_operators_to_mend()
    {
        var options = await azurite.OptionsAsync();
        var key = options.ConnectionString!.Split(';').Single(part => part.StartsWith("AccountKey=", StringComparison.Ordinal));
        BlobStore store =
            new(options with
            {
                ConnectionString =
            options.ConnectionString.Replace(key, $"AccountKey={Convert.ToBase64String(new byte[64])}", StringComparison.Ordinal)
            });

        var fault = await Assert.ThrowsAsync<TransportException>(async () => await store.OpenAsync(CancellationToken.None));

        Assert.True(fault.IsPermanent);
        Assert.Contains("its key", fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(key, fault.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, null, "r1serverless", "r1-", "either")]
    [InlineData("UseDevelopmentStorage=true", "someaccount", "r1serverless", "r1-", "either")]
    [InlineData("rubbish", null, "r1serverless", "r1-", "has the form")]
    [InlineData(null, "Some Account", "r1serverless", "r1-", "is no storage account")]
    [InlineData(null, "https://user:secret@someaccount.blob.core.windows.net", "r1serverless", "r1-", "names no user")]
    [InlineData("QueueEndpoint=https://a.queue.core.windows.net;SharedAccessSignature=sv=1&sig=secret", null, "r1serverless", "r1-", "has the form")]
    [InlineData(null, "http://someaccount.blob.core.windows.net", "r1serverless", "r1-", "is no storage account")]
    [InlineData(null, "someaccount", "A", "r1-", "no name for a container")]
    [InlineData(null, "someaccount", "r1serverless", "-r1", "names of queues")]
    public void Options_that_can_not_be_used_are_refused_with_a_sentence(string? connection, string? account, string container, string prefix,
    string sentence)
    {
        StorageOptions options = new() { ConnectionString = connection, Account = account, Container = container, QueuePrefix = prefix };

        var fault = Assert.Throws<TransportException>(() => new BlobStore(options));

        Assert.True(fault.IsPermanent);
        Assert.Contains(sentence, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Blobs_alone_are_no_transport()
    {
        StorageOptions options = new() { ConnectionString = "BlobEndpoint=https://a.blob.core.windows.net;SharedAccessSignature=sv=1&sig=secret" };
        var fault = Assert.Throws<TransportException>(() => new StorageTransport(options, TimeProvider.System, NullLogger.Instance));
        Assert.True(fault.IsPermanent);
        Assert.Contains("QueueEndpoint", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("someaccount", "someaccount.queue.core.windows.net")]
    [InlineData("someaccount.blob.core.usgovcloudapi.net", "someaccount.queue.core.usgovcloudapi.net")]
    [InlineData("https://someaccount.blob.core.chinacloudapi.cn/", "someaccount.queue.core.chinacloudapi.cn")]
    public void An_account_is_a_name_or_an_endpoint_of_any_cloud(string account, string queues) =>
        Assert.Equal(queues, new StorageClients(Account with { Account = account }).QueueService.Host);

    private sealed class NoToken : TokenCredential
    {
        public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            throw new CredentialUnavailableException("There is none.");

        public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            new(GetToken(requestContext, cancellationToken));
    }

    private sealed class AnyToken : TokenCredential
    {
        public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            new("token", DateTimeOffset.MaxValue);

        public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            new(GetToken(requestContext, cancellationToken));
    }
}
