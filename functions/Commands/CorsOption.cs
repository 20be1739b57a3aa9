using System.CommandLine;
using R1Serverless.Serving;

namespace R1Serverless.Commands;

/// <summary><c>--cors-origin</c>: whose web pages may call.</summary>
internal static class CorsOption
{
    private static readonly Option<string[]> Origins = new("--cors-origin")
    {
        Description = "An origin whose web pages may call this server, such as https://app.example.com; may be given several times. * stands for "
            + "all of them, with API keys only. None by default.",
        HelpName = "ORIGIN",
    };

    public static void AddTo(Command command) => command.Options.Add(Origins);

    public static ServeOptions Read(ParseResult arguments, ServeOptions options) =>
        options with { CorsOrigins = [.. (arguments.GetValue(Origins) ?? []).Select(one => WebOrigin.Parse(one) ?? one)] };

    /// <summary>Why these origins are refused and what to do instead; null where they are fine.</summary>
    public static string? Refusal(ServeOptions options)
    {
        foreach (var origin in options.CorsOrigins)
        {
            if (origin == WebOrigin.Any && !options.AreKeysRequired)
                return "--cors-origin '*' without API keys would let every page that a browser shows use this server: name the origins, or ask for "
                    + "keys.";
            if (origin != WebOrigin.Any && WebOrigin.Parse(origin) is null)
                return $"--cors-origin '{origin}' is no origin: write it like https://app.example.com, or http://localhost:3000.";
        }

        return null;
    }
}
