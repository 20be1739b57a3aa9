using System.Net.Sockets;
using System.Security.Authentication;
using Amqp;
using Azure.Identity;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>What the service's refusals mean to the operator.</summary>
internal static class ServiceBusFault
{
    private const string Roles = "'Azure Service Bus Data Sender' and 'Azure Service Bus Data Receiver' (or 'Azure Service Bus Data Owner')";

    /// <summary>Whether it is a fault of the service or of the way to it, rather than a bug or the caller's own cancelling.</summary>
    public static bool Knows(Exception fault, CancellationToken cancellationToken) => fault switch
    {
        OperationCanceledException => !cancellationToken.IsCancellationRequested,
        _ => fault is AmqpException or TimeoutException or SocketException or IOException or ObjectDisposedException or AuthenticationException or AuthenticationFailedException,
    };

    /// <summary>Says what a fault that is known means, and what to do.</summary>
    /// <param name="host">Of the namespace.</param>
    /// <param name="address">Of the entity, or of a node below it; null where the connection itself failed.</param>
    /// <param name="hasKey">Whether a shared access key is used, not tokens.</param>
    public static TransportException Explain(Exception fault, string host, string? address, bool hasKey) => fault switch
    {
        AmqpException amqp => Explain(amqp.Error?.Condition, Sentence(amqp.Error?.Description ?? amqp.Message), amqp, host, address, hasKey),
        SocketException { SocketErrorCode: SocketError.HostNotFound } => new($"There is no Service Bus namespace at {host}: check its name.", fault, isPermanent: true),
        SocketException => new($"{host} can't be reached: {Sentence(fault.Message)}", fault),
        AuthenticationException => new($"No encrypted connection to {host} could be made: {Sentence(fault.Message)}", fault),
        CredentialUnavailableException =>
            new($"There is no identity to use {host} as: {Sentence(fault.Message)} Give the process a managed identity, sign in with `az login`, or configure a connection string.", fault, isPermanent: true),
        AuthenticationFailedException => new($"No token could be had for {host}: {Sentence(fault.Message)}", fault),
        TimeoutException or OperationCanceledException => new($"{Where(host, address)} did not answer in time.", fault),
        _ => new($"The connection to {host} broke: {Sentence(fault.Message)}", fault),
    };

    /// <param name="condition">The error of the protocol.</param>
    public static TransportException Explain(string? condition, string detail, Exception? fault, string host, string? address, bool hasKey) => condition switch
    {
        "amqp:unauthorized-access" when hasKey && address is null =>
            new($"{host} refuses the shared access key: check the connection string.", fault, isPermanent: true),
        "amqp:unauthorized-access" when hasKey =>
            new($"The shared access key may not use {Where(host, address)}: its policy needs the claims Send and Listen.", fault, isPermanent: true),
        "amqp:unauthorized-access" =>
            new($"This identity may not use {Where(host, address)}: give it the roles {Roles} on the namespace.", fault, isPermanent: true),
        "amqp:not-found" =>
            new($"There is no {Where(host, address)}: create it, as infra/ does (lock duration as configured, not partitioned; the replies' queue with sessions).", fault, isPermanent: true),
        "com.microsoft:entity-disabled" => new($"The {Where(host, address)} is disabled.", fault, isPermanent: true),
        "com.microsoft:server-busy" => new($"{host} is busy: {detail}", fault),
        "amqp:resource-limit-exceeded" => new($"The {Where(host, address)} is full, or a limit of the namespace is reached: {detail}", fault),
        "amqp:link:message-size-exceeded" => new($"A message is too large for the {Where(host, address)}: {detail}", fault, isPermanent: true),
        _ => new($"The {Where(host, address)} fails ({condition ?? "no reason given"}): {detail}", fault),
    };

    public static string Sentence(string text) => text.Split('\n', 2)[0].Trim().TrimEnd('.') + ".";

    private static string Where(string host, string? address) => address is null ? $"connection to {host}" : $"queue '{address}' at {host}";
}
