using System.Security.Cryptography.X509Certificates;

namespace R1Serverless.Tests.Azure.Broker;

/// <summary>How the stand-in is set up, as an operator would set up a namespace.</summary>
internal sealed record BrokerOptions
{
    public IReadOnlyList<string> Queues { get; init; } = ["r1-interactive", "r1-bulk", "r1-replies", "inference-jobs"];

    public IReadOnlyList<string> SessionQueues { get; init; } = ["r1-replies"];

    public TimeSpan LockTime { get; init; } = TimeSpan.FromSeconds(5);

    public int MaxDeliveries { get; init; } = 10;

    /// <summary>The most bytes of a message, headers included: the Standard tier's.</summary>
    public int MaxBytes { get; init; } = 256 * 1024;

    public string KeyName { get; init; } = "RootManageSharedAccessKey";

    public string Key { get; init; } = "c3RhbmQtaW4ga2V5PQ==";

    /// <summary>amqp, amqps or ws.</summary>
    public string Scheme { get; init; } = "amqp";

    /// <summary>For amqps.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>When locks end and messages come due.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}
