using System.Net;

namespace R1Serverless.Serving;

/// <summary>Which addresses may be listened on.</summary>
internal static class ListenAddresses
{
    public const string Default = "http://127.0.0.1:7071";

    private const string DefaultHost = "127.0.0.1";
    private const int DefaultPort = 7071;

    /// <summary>The address of <c>--host</c> and <c>--port</c>; null leaves either as in <see cref="Default"/>.</summary>
    public static string Of(string? host, int? port)
    {
        host ??= DefaultHost;
        // An IPv6 address stands in brackets in a URL (RFC 3986, section 3.2.2).
        return $"http://{(host.Contains(':', StringComparison.Ordinal) && host[0] != '[' ? $"[{host}]" : host)}:{port ?? DefaultPort}";
    }

    public static IReadOnlyList<string> Split(string urls) => urls.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>The same hosts with another port. A Unix socket has none.</summary>
    /// <param name="urls">Those that <see cref="Refusal"/> accepts.</param>
    public static IReadOnlyList<string> WithPort(IReadOnlyList<string> urls, int port) =>
        [.. urls.Select(BindingAddress.Parse).Where(address => !address.IsUnixPipe).Select(address => address.Host).Distinct(StringComparer.Ordinal)
            .Select(host => Of(host, port))];

    /// <summary>Why these addresses are refused and what to do instead; null where they are fine.</summary>
    public static string? Refusal(IReadOnlyList<string> urls, bool hasKey)
    {
        if (urls.Count == 0) return $"--urls needs an address, such as {Default}.";
        foreach (var url in urls)
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
                return $"'{url}': only http is spoken here. For https put a reverse proxy or the Functions front end before this server.";
            if (!hasKey && !IsLocal(address))
                return $"'{url}' can be reached from other machines, so API keys are needed: make one with `r1 keys create` and give --keys, or set "
                    + $"R1_API_KEY; or listen on {Default}.";
        }

        return null;
    }

    /// <summary>Whether a name in an address is one of this machine's loopback.</summary>
    public static bool IsLoopback(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));

    // Kestrel takes any name other than localhost to mean every address of the machine.
    private static bool IsLocal(BindingAddress address) => address.IsUnixPipe || IsLoopback(address.Host);
}
