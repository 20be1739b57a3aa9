using System.Globalization;

namespace R1Serverless.Hosting;

/// <summary>The Azure Functions host, where it started this process as its custom handler: it says the port to answer on, and takes the calls from outside itself.</summary>
internal static class FunctionsHost
{
    public const string PortVariable = "FUNCTIONS_CUSTOMHANDLER_PORT";

    /// <summary>The port as the host gave it; null where there is no host.</summary>
    public static string? Port => Environment.GetEnvironmentVariable(PortVariable) is { Length: > 0 } port ? port : null;

    /// <summary>Only for the host on this machine; whatever addresses its environment names are its own.</summary>
    public static string Address(string port) => $"http://127.0.0.1:{port}";

    /// <summary>Why a port can't be used; null where it can, or where there is no host.</summary>
    public static string? Refusal(string? port) => port is null || ushort.TryParse(port, NumberStyles.None, CultureInfo.InvariantCulture, out _)
        ? null
        : $"{PortVariable}: '{port}' is not a port. The Azure Functions host sets it; elsewhere remove it.";
}
