using System.CommandLine;
using R1Serverless.Serving;

namespace R1Serverless.Commands;

/// <summary>Where the queue is: <c>--transport</c>, <c>--storage</c>, <c>--service-bus</c>, <c>--lease</c>.</summary>
internal static class TransportOption
{
    private static readonly Option<string?> Transport = new("--transport")
    {
        Description = "How gateways and workers are connected: embedded (the data folder, on one machine), storage (Azure Storage) or "
            + $"servicebus (Azure Service Bus, with results in Azure Storage); also {TransportOptions.KindVariable}. [default: "
            + $"{new TransportOptions().Name}]",
        HelpName = string.Join('|', TransportOptions.Names),
    };

    private static readonly Option<string?> Storage = new("--storage")
    {
        Description = "The Azure Storage account: its name or address (then this process's identity is used), or a connection string, which better "
            + $"stands in {TransportOptions.StorageVariable}: a command line can be seen by others.",
        HelpName = "ACCOUNT",
    };

    private static readonly Option<string?> ServiceBus = new("--service-bus")
    {
        Description =
            "The Service Bus namespace: its host (then this process's identity is used), or a connection string, which better stands in "
            + $"{TransportOptions.ServiceBusVariable}. {TransportOptions.WebSocketsVariable}=true speaks over WebSockets, at port 443.",
        HelpName = "NAMESPACE",
    };

    private static readonly Option<int?> Lease = NumberOption.Bound(new Option<int?>("--lease")
    {
        Description = "Seconds without a sign of life after which the work of a worker is given to another, 1 to 300; the same for all "
            + "processes. [default: 60 embedded, 30 in Azure Storage; Service Bus has it in its queues' settings]",
        HelpName = "SECONDS",
    }, 1, 300);

    static TransportOption() => Transport.AcceptOnlyFromAmong([.. TransportOptions.Names]);

    public static void AddTo(Command command)
    {
        foreach (var option in (Option[])[Transport, Storage, ServiceBus, Lease]) command.Options.Add(option);
    }

    /// <param name="data">The data folder; null means the user's.</param>
    public static TransportOptions Read(ParseResult arguments, string? data)
    {
        var kind = TextOption.Said(arguments, Transport, TransportOptions.KindVariable);
        var isKnown = kind is null || TransportOptions.Names.Contains(kind);
        return new TransportOptions
        {
            Kind = isKnown && kind is not null ? TransportOptions.Parse(kind) : default,
            UnknownKind = isKnown ? null : kind,
            DataFolder = data,
            LeaseTime = arguments.GetValue(Lease) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
            Storage = TextOption.Said(arguments, Storage, TransportOptions.StorageVariable) ?? TextOption.Set(TransportOptions.AccountNameVariable),
            ServiceBus = TextOption.Said(arguments, ServiceBus, TransportOptions.ServiceBusVariable)
                ?? TextOption.Set(TransportOptions.NamespaceVariable),
            UseWebSockets = string.Equals(TextOption.Set(TransportOptions.WebSocketsVariable), "true", StringComparison.OrdinalIgnoreCase),
        };
    }
}
