using System.CommandLine;
using R1Serverless.Delivery;
using R1Serverless.Queues;

namespace R1Serverless.Commands;

/// <summary>Where a shared repository of models is: <c>--to</c>, <c>--from</c> and <c>--models-from</c>, else the environment.</summary>
internal static class RepositoryOption
{
    private const string Forms = "a folder, https://ACCOUNT.blob.core.windows.net/CONTAINER (used as this process's identity), or a connection string";

    /// <param name="isFromEnvironment">Whether the environment counts where the option is not given.</param>
    public static Option<string?> Create(string name, string what, bool isFromEnvironment = true) => new(name)
    {
        Description = $"{what}: {Forms}, whose container is '{RepositoryAddress.DefaultContainer}'{(isFromEnvironment ? $" and which better stands in {RepositoryAddress.Variable}. [default: {RepositoryAddress.Variable}]" : ".")}",
        HelpName = "REPO",
    };

    /// <summary>Null where neither the option nor the environment names one.</summary>
    /// <exception cref="TransportException">What they name can't be one.</exception>
    public static RepositoryAddress? Find(ParseResult arguments, Option<string?> option) =>
        (arguments.GetValue(option) ?? Environment.GetEnvironmentVariable(RepositoryAddress.Variable)) is { Length: > 0 } text ? RepositoryAddress.Parse(text) : null;

    /// <exception cref="InvalidDataException">Neither the option nor the environment names one.</exception>
    /// <exception cref="TransportException">What they name can't be one.</exception>
    public static RepositoryAddress Require(ParseResult arguments, Option<string?> option) =>
        Find(arguments, option) ?? throw new InvalidDataException($"Give the repository with {option.Name}, or in {RepositoryAddress.Variable}: {Forms}.");

    /// <summary>Who does it, for those that look later.</summary>
    public static string Caller => $"{Environment.UserName}@{Environment.MachineName}";
}
