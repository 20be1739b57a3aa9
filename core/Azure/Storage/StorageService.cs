using System.Net.Sockets;
using Azure;
using Azure.Identity;
using R1Serverless.Storage;

namespace R1Serverless.Azure.Storage;

/// <summary>One of an account's services, and what its refusals mean to the operator.</summary>
/// <param name="Host">Of its endpoint.</param>
/// <param name="Role">The role that allows all that is asked of it.</param>
/// <param name="Created">Who creates its container or queues, as the end of a sentence.</param>
internal sealed record StorageService(string Host, string Role, string Created = StorageOptions.CreatedAtStart)
{
    /// <summary>Whether it is a fault of the service or of the way to it, rather than a bug or the caller's own cancelling.</summary>
    public bool Knows(Exception fault, CancellationToken cancellationToken) => fault switch
    {
        AggregateException { InnerExceptions: [.., { } last] } => Knows(last, cancellationToken),
        OperationCanceledException => !cancellationToken.IsCancellationRequested,
        _ => fault is RequestFailedException or AuthenticationFailedException,
    };

    /// <summary>Says what a fault that is known means, and what to do.</summary>
    public TransportException Explain(Exception fault) => fault switch
    {
        // Several attempts, each with its own fault: the last one stands.
        AggregateException { InnerExceptions: [.., { } last] } => Explain(last),
        CredentialUnavailableException =>
            new($"There is no identity to use {Host} as: {Sentence(fault)} Give the process a managed identity, sign in with `az login`, or "
            + "configure a connection string.", fault, isPermanent: true),
        AuthenticationFailedException => new($"No token could be had for {Host}: {Sentence(fault)}", fault),
        RequestFailedException failed => Explain(failed),
        _ => new($"{Host} did not answer in time.", fault),
    };

    /// <summary>A call to it, whose known faults are explained.</summary>
    /// <exception cref="TransportException">It refuses, or can't be reached; the message says what to do.</exception>
    public async ValueTask<T> CallAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call();
        }
        catch (Exception fault) when (Knows(fault, cancellationToken))
        {
            throw Explain(fault);
        }
    }

    /// <inheritdoc cref="CallAsync{T}"/>
    public async ValueTask CallAsync(Func<Task> call, CancellationToken cancellationToken) => await CallAsync(
        async () =>
        {
            await call();
            return true;
        },
        cancellationToken);

    /// <summary>Whether an object or message is not there, rather than the container or queue that should hold it.</summary>
    public static bool IsMissing(RequestFailedException failed) =>
        failed.Status == 404 && failed.ErrorCode is not ("ContainerNotFound" or "QueueNotFound");

    private TransportException Explain(RequestFailedException failed) => (failed.Status, failed.ErrorCode) switch
    {
        (0, _) when Cause<SocketException>(failed) is { SocketErrorCode: SocketError.HostNotFound } =>
            new($"There is no storage account at {Host}: check its name.", failed, isPermanent: true),
        (0, _) => new($"{Host} can't be reached: {Sentence(failed.GetBaseException())}", failed),
        (403, "AuthorizationPermissionMismatch" or "InsufficientAccountPermissions") =>
            new($"This identity may not use {Host}: give it the role '{Role}' on the storage account.", failed, isPermanent: true),
        (403, "AuthorizationFailure") =>
            new($"{Host} refuses this caller: its network rules or its key don't allow it; an identity needs the role '{Role}'.", failed,
            isPermanent: true),
        (403, "AccountIsDisabled") => new($"The storage account of {Host} is disabled.", failed, isPermanent: true),
        (401 or 403, _) =>
            new($"{Host} refuses the credentials ({failed.ErrorCode ?? "no reason given"}): check the connection string's key and this machine's "
            + $"clock; an identity needs the role '{Role}'.", failed, isPermanent: true),
        (404, "ContainerNotFound" or "QueueNotFound") => new($"The container or queue at {Host} has been deleted; {Created}.", failed),
        (409, "ContainerBeingDeleted" or "QueueBeingDeleted") =>
            new($"The container or queue at {Host} is just being deleted; it can be created again in a minute.", failed),
        (400 or 409 or 413 or 415, _) =>
            new($"{Host} does not accept what was asked ({failed.Status} {failed.ErrorCode}).", failed, isPermanent: failed.Status == 400),
        _ => new($"{Host} answers {failed.Status} {failed.ErrorCode}.", failed),
    };

    private static T? Cause<T>(Exception fault)
        where T : Exception
    {
        for (var cause = fault; cause is not null; cause = cause.InnerException)
        {
            if (cause is T found) return found;
        }

        return null;
    }

    /// <summary>The first line: what follows are headers and advice at length.</summary>
    private static string Sentence(Exception fault) => fault.Message.Split('\n', 2)[0].Trim().TrimEnd('.') + ".";
}
