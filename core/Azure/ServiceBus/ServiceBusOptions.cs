using System.Net.Security;
using Azure.Core;
using R1Serverless.Azure.Storage;
using R1Serverless.Queues;

namespace R1Serverless.Azure.ServiceBus;

/// <summary>Which Service Bus namespace to use, and as whom. Either <see cref="ConnectionString"/> or <see cref="Namespace"/> is given. Four queues
/// must be there, named <c>{EntityPrefix}interactive</c>, <c>{EntityPrefix}bulk</c>, <see cref="JobQueue"/> and, with sessions,
/// <c>{EntityPrefix}replies</c>; all with <see cref="LeaseTime"/> as lock duration, and none partitioned. A route may have a queue of its own in each
/// class, <c>{EntityPrefix}interactive-{route}</c> (see <see cref="RouteName"/>). To create them needs rights that neither gateways nor workers
/// should have.</summary>
public sealed record ServiceBusOptions
{
    /// <summary>Of the namespace, as the portal shows it (<c>Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…</c>); with
    /// <c>UseDevelopmentEmulator=true</c> unencrypted.</summary>
    public string? ConnectionString { get; init; }

    /// <summary>The namespace's name, or its host in another cloud than the public one.</summary>
    public string? Namespace { get; init; }

    /// <summary>Who asks, where only the namespace is given; null means <see cref="AzureCredentials.Default"/>.</summary>
    public TokenCredential? Credential { get; init; }

    /// <summary>AMQP over WebSockets, at port 443, where a firewall lets nothing else out; proxies of the environment are used then.</summary>
    public bool UseWebSockets { get; init; }

    /// <summary>What the names of all queues begin with, so that several deployments may share a namespace.</summary>
    public string EntityPrefix { get; init; } = "r1-";

    /// <summary>Where producers drop jobs.</summary>
    public string JobQueue { get; init; } = IJobQueue.Name;

    /// <summary>See <see cref="IRequestQueue.LeaseTime"/>: the lock duration that the queues were created with, which can't be asked for; 1 second to
    /// 5 minutes.</summary>
    public TimeSpan LeaseTime { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long replies wait for a gateway that may be dead.</summary>
    public TimeSpan ReplyAge { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>The most bytes of a body that travel in a message; larger ones wait in the object store. The Standard tier takes 256 KiB, headers
    /// included.</summary>
    public int LargestBody { get; init; } = 240 * 1024;

    /// <summary>How long an attempt of a call may take; there are two.</summary>
    internal TimeSpan AnswerTime { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>Where to connect instead of the namespace's own address, for tests.</summary>
    internal Uri? Endpoint { get; init; }

    /// <summary>Of the service's certificate, for tests.</summary>
    internal RemoteCertificateValidationCallback? CertificateCheck { get; init; }

    /// <summary>Says where, never the key.</summary>
    public override string ToString() => $"queues '{EntityPrefix}*'";
}
