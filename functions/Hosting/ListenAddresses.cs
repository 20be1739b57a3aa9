using System.Net;

namespace R1Serverless.Hosting;

/// <summary>Which addresses may be listened on.</summary>
internal static class ListenAddresses
{
    public const string Default = "http://127.0.0.1:7071";

    public static IReadOnlyList<string> Split(string urls) =>
        urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>Why these addresses are refused and what to do instead; null where they are fine.</summary>
    public static string? Refusal(IReadOnlyList<string> urls, bool hasKey)
    {
        if (urls.Count == 0) return $"--urls needs an address, such as {Default}.";
        foreach (string url in urls)
        {
            BindingAddress address;
            try
            {
                address = BindingAddress.Parse(url);
            }
            catch (FormatException)
            {
                return $"'{url}' is not an address. Write it like {Default}.";
            }

            if (!address.Scheme.Equals("http", StringComparison.OrdinalIgnoreCase))
            {
                return $"'{url}': only http is spoken here. For https put a reverse proxy or the Functions front end before this server.";
            }

            if (!hasKey && !IsLocal(address))
            {
                return $"'{url}' can be reached from other machines, so API keys are needed: make one with `r1 keys create` and give --keys, or set R1_API_KEY; or listen on {Default}.";
            }
        }

        return null;
    }

    // Kestrel takes any name other than localhost to mean every address of the machine.
    private static bool IsLocal(BindingAddress address) =>
        address.IsUnixPipe
        || address.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(address.Host.Trim('[', ']'), out IPAddress? ip) && IPAddress.IsLoopback(ip));
}
