using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Authentication;
using Azure.Identity;
using Azure.Messaging.ServiceBus;
using Microsoft.Azure.Amqp;
using R1Serverless.Storage;

namespace R1Serverless.Azure.ServiceBus;

/// <summary>What the service's refusals mean to the operator.</summary>
internal static class ServiceBusFault
{
    private const string Roles = "'Azure Service Bus Data Sender' and 'Azure Service Bus Data Receiver' (or 'Azure Service Bus Data Owner')";

    /// <summary>Whether it is a fault of the service or of the way to it, rather than a bug or the caller's own cancelling. The library lets many
    /// through as they come.</summary>
    public static bool Knows(Exception fault, CancellationToken cancellationToken) => fault switch
    {
        OperationCanceledException => !cancellationToken.IsCancellationRequested,
        _ => fault is ServiceBusException or UnauthorizedAccessException or TimeoutException or InvalidOperationException or AmqpException
            or SocketException or WebSocketException or IOException or AuthenticationException or AuthenticationFailedException,
    };

    /// <summary>Whether it says no more than that nothing was answered in time.</summary>
    public static bool IsLate(Exception fault) =>
        fault is ServiceBusException { Reason: ServiceBusFailureReason.ServiceTimeout } or TimeoutException or OperationCanceledException;

    /// <summary>Says what a fault that is known means, and what to do.</summary>
    /// <param name="host">Of the namespace.</param>
    /// <param name="hasKey">Whether a shared access key is used, not tokens.</param>
    public static TransportException Explain(Exception fault, string host, string queue, bool hasKey)
    {
        string where = $"queue '{queue}' at {host}", detail = Sentence(fault.Message);
        return fault switch
        {
            _ when Cause<SocketException>(fault) is { SocketErrorCode: SocketError.HostNotFound } =>
                new($"There is no Service Bus namespace at {host}: check its name.", fault, isPermanent: true),
            _ when Cause<CredentialUnavailableException>(fault) is { } none =>
                new($"There is no identity to use {host} as: {Sentence(none.Message)} Give the process a managed identity, sign in with `az login`, "
                + "or configure a connection string.", fault, isPermanent: true),
            _ when Cause<AuthenticationFailedException>(fault) is { } failed =>
                new($"No token could be had for {host}: {Sentence(failed.Message)}", fault),
            _ when Cause<AuthenticationException>(fault) is { } refused =>
                new($"No encrypted connection to {host} could be made: {Sentence(refused.Message)}", fault),
            UnauthorizedAccessException when hasKey =>
                new($"The shared access key may not use the {where}: check the connection string; its policy needs the claims Send and Listen.",
                fault, isPermanent: true),
            UnauthorizedAccessException =>
                new($"This identity may not use the {where}: give it the roles {Roles} on the namespace.", fault, isPermanent: true),
            ServiceBusException { Reason: ServiceBusFailureReason.MessagingEntityNotFound } =>
                new($"There is no {where}: create it, as infra/ does (lock duration as configured, not partitioned; the replies' queue with "
                + "sessions).", fault, isPermanent: true),
            ServiceBusException { Reason: ServiceBusFailureReason.MessagingEntityDisabled } =>
                new($"The {where} is disabled.", fault, isPermanent: true),
            ServiceBusException { Reason: ServiceBusFailureReason.ServiceBusy } => new($"{host} is busy: {detail}", fault),
            ServiceBusException { Reason: ServiceBusFailureReason.QuotaExceeded } =>
                new($"The {where} is full, or a limit of the namespace is reached: {detail}", fault),
            ServiceBusException { Reason: ServiceBusFailureReason.MessageSizeExceeded } =>
                new($"A message is too large for the {where}: {detail}", fault, isPermanent: true),
            _ when IsLate(fault) => new($"The {where} did not answer in time.", fault),
            ServiceBusException { Reason: ServiceBusFailureReason.ServiceCommunicationProblem } =>
                new($"The {where} can't be reached: {detail}", fault),
            _ => new($"The {where} fails: {detail}", fault),
        };
    }

    private static T? Cause<T>(Exception fault)
        where T : Exception
    {
        for (var cause = fault; cause is not null; cause = cause.InnerException)
        {
            if (cause is T found) return found;
        }

        return null;
    }

    /// <summary>The first line: what follows is advice at length.</summary>
    private static string Sentence(string text) => text.Split('\n', 2)[0].Trim().TrimEnd('.') + ".";
}
