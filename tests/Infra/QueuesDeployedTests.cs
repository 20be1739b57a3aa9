using System.Text.Json.Nodes;
using System.Xml;
using Azure.Core;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Azure.ServiceBus;
using R1Serverless.Azure.Storage;
using R1Serverless.Queues;
using R1Serverless.Queues.Gateway;
using R1Serverless.Queues.Webhooks;
using R1Serverless.Serving;
using R1Serverless.Storage.Files;
using R1Serverless.Tests.Azure.Broker;
using R1Serverless.Tests.Azure.Storage;

namespace R1Serverless.Tests.Infra;

/// <summary>The code opens what is deployed, and needs to create nothing but the queue for its own replies.</summary>
public sealed class QueuesDeployedTests(Deployments deployments)
{
    private const string Account = "Microsoft.Storage/storageAccounts", Queues = "Microsoft.ServiceBus/namespaces/queues";

    // Of Azurite, published by Microsoft; nothing is signed for anybody here.
    private const string Connection = "DefaultEndpointsProtocol=https;AccountName=devstoreaccount1;"
        + "AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;EndpointSuffix=example.com";

    [Theory]
    [InlineData("dev")]
    [InlineData("full")]
    public async Task Every_storage_queue_and_container_is_there(string name)
    {
        var deployed = await deployments.GetAsync(name);
        HashSet<string> there = [.. deployed.Names($"{Account}/queueServices/queues"), .. deployed.Names($"{Account}/blobServices/containers")];
        List<string> opened = [], created = [];
        FaultyHttp http = new(before: request =>
        {
            var asked = request.Uri.Path.TrimStart('/').Split('?')[0];
            // the list of all, which whoever may only use the queues need not see
            if (asked.Length == 0) return new Refusal(403, "AuthorizationFailure");
            if (request.Method == RequestMethod.Put && request.Uri.Query.Contains("comp=metadata", StringComparison.Ordinal))
                return new Refusal(204, "");
            lock (opened)
            {
                (request.Method == RequestMethod.Put ? created : opened).Add(asked);
                if (request.Method == RequestMethod.Put) return new Refusal(201, "");
                return there.Contains(asked) ? new Refusal(200, "")
                    : new Refusal(404, asked.Contains('-', StringComparison.Ordinal) ? "QueueNotFound" : "ContainerNotFound");
            }
        });
        await using StorageTransport transport =
            new(new StorageOptions { ConnectionString = Connection, Http = http }, TimeProvider.System, NullLogger.Instance);
        await transport.OpenAsync(TestContext.Current.CancellationToken);
        Assert.All(created, one => Assert.StartsWith("r1-replies-", one, StringComparison.Ordinal));
        // Those of models are opened where requests of theirs come.
        string[] ofModels = [.. there.Where(one => one.EndsWith($"-{RouteName.Of(new RequestRoute("r1-nano"))}", StringComparison.Ordinal))];
        Assert.Equal(["r1-bulk-r1-nano", "r1-interactive-r1-nano"], ofModels.Order());
        Assert.Equal(there.Except(ofModels).Order(),
            opened.Append(RepositoryAddress.DefaultContainer).Where(one => !one.StartsWith("r1-replies-", StringComparison.Ordinal)).Distinct()
            .Order());
    }

    [Fact]
    public async Task Every_queue_of_service_bus_is_there_as_the_code_wants_it()
    {
        var deployed = await deployments.GetAsync("prod");
        JsonNode[] queues = [.. deployed.Of(Queues)];
        foreach (var properties in queues.Select(queue => queue["properties"]!))
        {
            Assert.Equal(new ServiceBusOptions().LeaseTime, XmlConvert.ToTimeSpan(properties["lockDuration"]!.GetValue<string>()));
            Assert.True(properties["maxDeliveryCount"]!.GetValue<int>() > new QueueWorkerOptions().MaxDeliveries);
            Assert.False(properties["enablePartitioning"]!.GetValue<bool>());
        }

        BrokerOptions options = new()
        {
            Queues = deployed.Names(Queues),
            SessionQueues =
                [.. queues.Where(queue => queue["properties"]!["requiresSession"]!.GetValue<bool>())
                .Select(queue => queue["name"]!.GetValue<string>().Split('/')[^1])],
        };
        await using StandInBroker broker = new(options);
        var folder = Directory.CreateTempSubdirectory("r1-infra-").FullName;
        try
        {
            FileObjectStore store = new(folder, TimeProvider.System, TimeProvider.System);
            store.Open();
            await using ServiceBusTransport transport =
                new(new ServiceBusOptions { ConnectionString = broker.ConnectionString }, store, TimeProvider.System, NullLogger.Instance);
            await transport.OpenAsync(TestContext.Current.CancellationToken);
            // Each gateway gets its replies in a session; what requests wait in has none.
            Assert.Equal([$"{new ServiceBusOptions().EntityPrefix}replies"], options.SessionQueues);
            Assert.Equal(6, queues.Length);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [MemberData(nameof(Deployments.All), MemberType = typeof(Deployments))]
    public async Task Leftovers_go_when_the_code_would_have_removed_them(string name)
    {
        JsonNode[] rules =
            [.. (await deployments.GetAsync(name)).One($"{Account}/managementPolicies")["properties"]!["policy"]!["rules"]!.AsArray()
                .Select(rule => rule!)];
        var container = new StorageOptions().Container;
        string[] Prefixes(string rule) =>
            [.. rules.Single(one => one["name"]!.GetValue<string>() == rule)["definition"]!["filters"]!["prefixMatch"]!.AsArray()
                .Select(one => one!.GetValue<string>())];
        int Days(string rule) =>
            rules.Single(
                one => one["name"]!.GetValue<string>()
                == rule)["definition"]!["actions"]!["baseBlob"]!["delete"]!["daysAfterModificationGreaterThan"]!.GetValue<int>();
        Assert.True(TimeSpan.FromDays(Days("requests")) > RetentionSweep.LongestWait + TimeSpan.FromDays(1));
        string[] folders = [ResultStore.Folder, RequestRecords.Folder, IdempotencyKeys.Folder, CancellationMarkers.Folder, ClaimCheck.Folder,
            WebhookDeliveries.Folder];
        Assert.Equal(folders.Select(folder => $"{container}/{folder}").Order(), Prefixes("requests").Order());
        Assert.All(Prefixes("files"), prefix => Assert.StartsWith($"{container}/", prefix, StringComparison.Ordinal));
        Assert.True(Days("files") >= Days("requests") - 1);
    }
}
