using System.Net;
using System.Net.Sockets;
using R1Serverless.Api.OpenAI;

namespace R1Serverless.Api.Webhooks;

/// <summary>
/// Where webhooks may go. An operator allows hosts: a name (<c>hooks.example.com</c>), which may also be on a private network; all names below one
/// (<c>*.example.com</c>), on public addresses only; or an address itself. Nothing of the machine's own or the link's is reached through a name other
/// than localhost.
/// </summary>
internal sealed class WebhookHosts(IReadOnlyList<string> allowed)
{
    private const string Wildcard = "*.";
    private const string Loopback = "localhost";

    private readonly HashSet<string> _names =
        new(allowed.Where(host => !host.StartsWith(Wildcard, StringComparison.Ordinal)).Select(Plain), StringComparer.OrdinalIgnoreCase);
    private readonly string[] _suffixes = [.. allowed.Where(host => host.StartsWith(Wildcard, StringComparison.Ordinal)).Select(host => host[1..])];

    public bool AreAny => _names.Count + _suffixes.Length > 0;

    /// <summary>Whether an operator's word for a host is one.</summary>
    public static bool IsHost(string host) =>
        Uri.CheckHostName(host.StartsWith(Wildcard, StringComparison.Ordinal) ? host[Wildcard.Length..] : Plain(host)) != UriHostNameType.Unknown;

    /// <summary>Why a webhook may not be there; null if it may.</summary>
    public string? Refusal(Uri url)
    {
        if (!AreAny) return "Webhooks are switched off on this server; its operator allows hosts with --webhook-host.";
        var host = Plain(url.IdnHost);
        if (!_names.Contains(host) && !IsBelow(host))
            return $"Webhooks to '{Truncated.Name(host)}' are not allowed; the operator allows hosts with --webhook-host.";
        return url.Scheme == Uri.UriSchemeHttps || IsLocal(host) ? null : "A webhook's address must begin with https://.";
    }

    /// <summary>Whether a connection for a host may be made to what its name stands for just now.</summary>
    public bool MayConnect(string host, IPAddress address)
    {
        host = Plain(host);
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        var isNamed = _names.Contains(host);
        if (IPAddress.TryParse(host, out var literal)) return isNamed && (literal.IsIPv4MappedToIPv6 ? literal.MapToIPv4() : literal).Equals(address);
        if (host.Equals(Loopback, StringComparison.OrdinalIgnoreCase)) return isNamed && IPAddress.IsLoopback(address);
        return Reach(address) switch
        {
            NetworkReach.Public => isNamed || IsBelow(host),
            NetworkReach.Private => isNamed,
            _ => false,
        };
    }

    internal static NetworkReach Reach(IPAddress address)
    {
        var bytes = address.GetAddressBytes();
        if (address.AddressFamily != AddressFamily.InterNetwork)
        {
            if (address.IsIPv6UniqueLocal) return NetworkReach.Private;
            // 2000::/3 is what is given out to networks; within it 6to4, Teredo and documentation lead elsewhere.
            var isGlobal = (bytes[0] & 0xE0) == 0x20 && !address.IsIPv6Teredo && (bytes[0], bytes[1]) != (0x20, 0x02)
                && (bytes[0], bytes[1], bytes[2], bytes[3]) != (0x20, 0x01, 0x0d, 0xb8);
            return isGlobal ? NetworkReach.Public : NetworkReach.Special;
        }

        return (bytes[0], bytes[1], bytes[2]) switch
        {
            (10, _, _) or (172, >= 16 and <= 31, _) or (192, 168, _) or (100, >= 64 and <= 127, _) => NetworkReach.Private,
            (0, _, _) or (127, _, _) or (169, 254, _) or (192, 0, 0) or (192, 0, 2) or (192, 88, 99) or (198, 18 or 19, _) or (198, 51, 100)
                or (203, 0, 113) or ( >= 224, _, _) => NetworkReach.Special,
            _ => NetworkReach.Public,
        };
    }

    private static string Plain(string host) => host.Trim('[', ']');

    private static bool IsLocal(string host) =>
        host.Equals(Loopback, StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host, out var ip) && IPAddress.IsLoopback(ip));

    private bool IsBelow(string host) =>
        _suffixes.Any(suffix => host.Length > suffix.Length && host.EndsWith(suffix, StringComparison.OrdinalIgnoreCase));
}

/// <summary>Who can be at an address.</summary>
internal enum NetworkReach
{
    Public,
    Private,

    /// <summary>This machine, this link, many at once, or nobody.</summary>
    Special,
}
