using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Hosting;
using R1Serverless.Serving;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Hosting;

public sealed class TransportsTests
{
    private const string Secret = "AccountKey=c2VjcmV0";

    [Theory]
    [InlineData("embedded", null, null, null)]
    [InlineData("storage", null, null, "R1_STORAGE")]
    [InlineData("storage", "myaccount", null, null)]
    [InlineData("servicebus", null, null, "R1_SERVICEBUS")]
    [InlineData("servicebus", null, "ns.servicebus.windows.net", "R1_STORAGE")]
    [InlineData("servicebus", "myaccount", "ns.servicebus.windows.net", null)]
    public void What_is_missing_is_said_with_the_variable_to_set(string transport, string? storage, string? serviceBus, string? says)
    {
        var refusal =
            Transports.Refusal(new TransportOptions { Kind = TransportOptions.Parse(transport), Storage = storage, ServiceBus = serviceBus });
        if (says is null) Assert.Null(refusal);
        else Assert.Contains(says, refusal, StringComparison.Ordinal);
    }

    [Fact]
    public void Options_print_no_secret() =>
        Assert.DoesNotContain(Secret, new ServeOptions { Transport = new TransportOptions { Storage = Secret, ServiceBus = Secret } }.ToString(),
            StringComparison.Ordinal);

    [Theory]
    [InlineData("myaccount", "Azure Storage at myaccount.queue.core.windows.net")]
    [InlineData("https://myaccount.blob.core.usgovcloudapi.net", "Azure Storage at myaccount.queue.core.usgovcloudapi.net")]
    [InlineData("DefaultEndpointsProtocol=https;AccountName=other;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net",
        "Azure Storage at other.queue.core.windows.net")]
    public async Task A_name_an_address_and_a_connection_string_mean_an_account(string storage, string says)
    {
        await using var transport =
            Transports.Create(new TransportOptions { Kind = TransportKind.Storage, Storage = storage }, TimeProvider.System,
                NullLoggerFactory.Instance);
        Assert.StartsWith(says, transport.Description, StringComparison.Ordinal);
        Assert.DoesNotContain("c2VjcmV0", transport.Description, StringComparison.Ordinal);
    }

    [Fact]
    public void A_connection_string_that_is_none_is_refused_without_showing_it()
    {
        var fault = Assert.Throws<TransportException>(
            () => Transports.Create(new TransportOptions { Kind = TransportKind.Storage, Storage = Secret }, TimeProvider.System,
            NullLoggerFactory.Instance));
        Assert.True(fault.IsPermanent);
        Assert.DoesNotContain(Secret, fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("embedded", "gateway", true, true)]
    [InlineData("embedded", "worker", false, true)]
    [InlineData("storage", "gateway", true, false)]
    [InlineData("storage", "gateway", false, true)]
    [InlineData("storage", "worker", false, true)]
    [InlineData("servicebus", "gateway", true, false)]
    [InlineData("servicebus", "gateway", false, false)]
    [InlineData("servicebus", "worker", false, true)]
    [InlineData("servicebus", "all", false, true)]
    public void Jobs_are_taken_by_the_trigger_or_by_workers(string transport, string role, bool isBehindHost, bool listens) => Assert.Equal(
        listens, BatchService.Listens(
        new ServeOptions
        {
            Transport = new TransportOptions { Kind = TransportOptions.Parse(transport) }, Role = RoleName.Parse(role),
            IsBehindHost = isBehindHost
        }));

    [Fact]
    public async Task The_embedded_queue_lies_in_the_data_folder()
    {
        var data = Directory.CreateTempSubdirectory("r1-data-").FullName;
        await using (var transport = Transports.Create(new TransportOptions { DataFolder = data }, TimeProvider.System, NullLoggerFactory.Instance))
        {
            await transport.OpenAsync(CancellationToken.None);
            Assert.Contains(Path.Combine(data, "queue"), transport.Description, StringComparison.Ordinal);
        }

        Assert.NotEmpty(Directory.EnumerateFileSystemEntries(Path.Combine(data, "queue")));
        Directory.Delete(data, recursive: true);
    }
}
