using System.CommandLine;
using R1Serverless.Access;
using R1Serverless.Hosting;

namespace R1Serverless.Commands;

/// <summary>What <c>r1 serve</c> is told about who may call: <c>--api-key</c>, <c>--keys</c>.</summary>
internal static class AccessOption
{
    private const string KeyVariable = "R1_API_KEY", HostVariable = "FUNCTIONS_CUSTOMHANDLER_PORT";

    private static readonly Option<string?> ApiKey = new("--api-key")
    {
        Description = $"A key for inference, or several separated by ','. Better set {KeyVariable}: a command line can be seen by others.",
        HelpName = "KEY",
    };

    private static readonly Option<string?> Keys = KeysOption.Create("Where named keys are kept, with limits and expiry, and changed while this runs (see `r1 keys`)");

    public static void AddTo(Command command)
    {
        foreach (Option option in (Option[])[ApiKey, Keys]) command.Options.Add(option);
    }

    public static ServeOptions Read(ParseResult arguments, ServeOptions options) => options with
    {
        ApiKeys = (arguments.GetValue(ApiKey) ?? Environment.GetEnvironmentVariable(KeyVariable) ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
        Keys = KeysOption.Read(arguments, Keys) is { } place ? KeySources.Create(place) : null,
        IsBehindHost = Environment.GetEnvironmentVariable(HostVariable) is { Length: > 0 },
    };

    /// <summary>Why no keys can be had from where they are said to be; null where they can, or where it takes the network to find out.</summary>
    public static async Task<string?> RefusalAsync(ServeOptions options, CancellationToken cancellationToken)
    {
        if (options.Keys is not KeyFile file) return null;
        try
        {
            if (await file.ReadAsync(cancellationToken) is not { } content) return $"There is no {file.Description}: make the first key with r1 keys create NAME --keys {file.Description}";
            KeyFileReader.Read(content);
            return null;
        }
        catch (Exception fault) when (fault is InvalidKeysException or KeySourceException)
        {
            return $"The keys in {file.Description} can't be used: {fault.Message}";
        }
    }
}
