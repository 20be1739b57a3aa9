using System.Text.RegularExpressions;

namespace R1Serverless.Queues.ServiceBus;

/// <summary>Where a namespace answers.</summary>
/// <param name="KeyName">Of the shared access key; null where tokens are used.</param>
internal sealed partial record ServiceBusEndpoint(string Host, int Port, bool IsEncrypted, string? KeyName, string? Key)
{
    private const int Encrypted = 5671;
    private const int Plain = 5672;

    /// <summary>What the name of an entity, or of a node below it, is called where rights to it are granted.</summary>
    public string Audience(string address) => $"sb://{Host}/{address}";

    /// <exception cref="TransportException">The options can't be used; the message says which.</exception>
    public static ServiceBusEndpoint Of(ServiceBusOptions options)
    {
        if (options.LeaseTime < TimeSpan.FromSeconds(1) || options.LeaseTime > TimeSpan.FromMinutes(5)) throw Wrong("a lock lasts from 1 second to 5 minutes");
        if (!Prefix().IsMatch(options.EntityPrefix)) throw Wrong($"'{options.EntityPrefix}' can't begin the names of queues: up to 50 letters, digits, '-', '_', '.' and '/', a letter or digit first");
        return options switch
        {
            { ConnectionString: { } connection, Namespace: null } => Read(connection),
            { ConnectionString: null, Namespace: { } name } => Find(name, options.IsPlain),
            _ => throw Wrong("give either a connection string or a namespace"),
        };
    }

    private static ServiceBusEndpoint Read(string connection)
    {
        Dictionary<string, string> parts = new(StringComparer.OrdinalIgnoreCase);
        foreach (string part in connection.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int at = part.IndexOf('=', StringComparison.Ordinal);
            if (at > 0) parts[part[..at]] = part[(at + 1)..];
        }

        if (parts.ContainsKey("EntityPath")) throw Wrong("the connection string is one queue's; take the namespace's, which has no EntityPath");
        if (!Uri.TryCreate(parts.GetValueOrDefault("Endpoint"), UriKind.Absolute, out Uri? endpoint) || endpoint.Scheme != "sb"
            || !parts.TryGetValue("SharedAccessKeyName", out string? name) || !parts.TryGetValue("SharedAccessKey", out string? key))
            throw Wrong("the connection string can't be read: it has the form 'Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…'");
        bool isEncrypted = !string.Equals(parts.GetValueOrDefault("UseDevelopmentEmulator"), "true", StringComparison.OrdinalIgnoreCase);
        return new ServiceBusEndpoint(endpoint.Host, endpoint.Port > 0 ? endpoint.Port : isEncrypted ? Encrypted : Plain, isEncrypted, name, key);
    }

    private static ServiceBusEndpoint Find(string name, bool isPlain)
    {
        string url = name.Contains("://", StringComparison.Ordinal) ? name : $"sb://{name}";
        if (!Uri.TryCreate(url, UriKind.Absolute, out Uri? endpoint) || endpoint.Host.Length == 0 || endpoint.AbsolutePath is not ("" or "/"))
            throw Wrong($"'{name}' is no namespace: give its name, or its host (NAME.servicebus.windows.net)");
        string host = isPlain || endpoint.Host.Contains('.', StringComparison.Ordinal) ? endpoint.Host : $"{endpoint.Host}.servicebus.windows.net";
        return new ServiceBusEndpoint(host, endpoint.Port > 0 ? endpoint.Port : isPlain ? Plain : Encrypted, !isPlain, null, null);
    }

    private static TransportException Wrong(string what) => new($"Service Bus can't be used: {what}.", isPermanent: true);

    [GeneratedRegex("^([A-Za-z0-9][A-Za-z0-9._/-]{0,49})?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Prefix();
}
