using System.CommandLine;
using R1Serverless.Abstractions;
using R1Serverless.Auth;
using R1Serverless.ModelRegistry;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;
using R1Serverless.Storage;

namespace R1Serverless.Commands;

/// <summary>Options that several commands have, each with one meaning.</summary>
internal static class CommonOptions
{
    private const string KeysVariable = "R1_KEYS", ApiKeyVariable = "R1_API_KEY",
        RepositoryForms = "a folder, https://ACCOUNT.blob.core.windows.net/CONTAINER (used as this process's identity), or a connection string";

    public static readonly Option<string?> Data = new("--data")
    {
        Description = "The folder where built models are kept, and the embedded queue. [default: the user's data folder]", HelpName = "DIR",
    };

    public static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object instead of tables." };

    /// <summary>Of the server that a command asks.</summary>
    public static readonly Option<string?> ServerKey = new("--api-key") { Description = $"The server's key; better set {ApiKeyVariable}." };

    /// <summary>How much of the disk fetched versions may take.</summary>
    public static readonly Option<long?> ModelCacheSize = TextOption.Size("--model-cache", 1L << 20, "200GiB, at least 1MB",
        "Disk that versions fetched from a repository may take together, such as 200GiB; the least recently used leave for others. "
        + "[default: 64GiB, or what the disk has]");

    /// <summary>Of the server that a command asks; null where neither the option nor the environment has one.</summary>
    public static string? ReadServerKey(ParseResult arguments) => TextOption.Said(arguments, ServerKey, ApiKeyVariable);

    public static long ReadModelCache(ParseResult arguments) => arguments.GetValue(ModelCacheSize) ?? ModelCache.DefaultBudget;

    /// <summary>A folder to write, without the separator that a shell may have put behind it.</summary>
    public static string? Folder(DirectoryInfo? named) => named is null ? null : Path.TrimEndingDirectorySeparator(named.FullName);

    public static ModelRepository Models(ParseResult arguments) => DataFolder.Repository(arguments.GetValue(Data));

    /// <summary><c>--precision</c>, where one variant is chosen.</summary>
    /// <param name="usual">Taken where the option is not given; null tells that it was not.</param>
    public static Option<string?> Precision(string description, string? usual = PrecisionName.Auto)
    {
        Option<string?> option = new("--precision") { Description = description };
        if (usual is not null) option.DefaultValueFactory = _ => usual;
        option.AcceptOnlyFromAmong([.. PrecisionName.All, PrecisionName.Auto]);
        return option;
    }

    /// <summary>Precisions such as <c>fp32,int8</c>, or the option several times: each once, from the most exact; empty where nothing is
    /// named.</summary>
    /// <exception cref="InvalidDataException">A name is none; the message says which there are.</exception>
    public static IReadOnlyList<Precision> ParsePrecisions(IEnumerable<string>? texts) =>
    [
        .. (texts ?? []).SelectMany(text => text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            .Select(name => PrecisionName.Find(name)
            ?? throw new InvalidDataException($"--precision: '{name}' is no precision; there are {string.Join(", ", PrecisionName.All)}."))
            .Distinct().Order(),
    ];

    /// <summary><c>--keys</c>, the same for the server and for the commands that change keys.</summary>
    /// <param name="what">Without a full stop.</param>
    public static Option<string?> Keys(string what)
    {
        Option<string?> option = new("--keys")
        {
            Description =
                $"{what}: a file, or the address of a secret in Azure Key Vault, such as https://NAME.vault.azure.net/secrets/api-keys (also "
                + $"{KeysVariable}).",
            HelpName = "PLACE",
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var place }] && KeySources.Refusal(place) is { } refusal) result.AddError($"--keys: {refusal}");
        });
        return option;
    }

    /// <summary>What was said on the command line or in the environment; null for nothing.</summary>
    public static string? ReadKeys(ParseResult arguments, Option<string?> option) => TextOption.Said(arguments, option, KeysVariable);

    /// <summary>Where a shared repository of models is: <c>--to</c>, <c>--from</c> and <c>--models-from</c>.</summary>
    /// <param name="isFromEnvironment">Whether the environment counts where the option is not given.</param>
    public static Option<string?> Repository(string name, string what, bool isFromEnvironment = true) => new(name)
    {
        Description =
            $"{what}: {RepositoryForms}, whose container is '{RepositoryAddress.DefaultContainer}'"
            + (isFromEnvironment ? $" and which better stands in {RepositoryAddress.Variable}. [default: {RepositoryAddress.Variable}]" : "."),
        HelpName = "REPO",
    };

    /// <summary>Null where neither the option nor the environment names one.</summary>
    /// <exception cref="TransportException">What they name can't be one.</exception>
    public static RepositoryAddress? FindRepository(ParseResult arguments, Option<string?> option) =>
        TextOption.Said(arguments, option, RepositoryAddress.Variable) is { Length: > 0 } text ? RepositoryAddress.Parse(text) : null;

    /// <exception cref="InvalidDataException">Neither the option nor the environment names one.</exception>
    /// <exception cref="TransportException">What they name can't be one.</exception>
    public static RepositoryAddress RequireRepository(ParseResult arguments, Option<string?> option) =>
        FindRepository(arguments, option)
        ?? throw new InvalidDataException($"Give the repository with {option.Name}, or in {RepositoryAddress.Variable}: {RepositoryForms}.");
}
