using System.CommandLine;
using R1Serverless.Hosting;

namespace R1Serverless.Commands;

/// <summary>Where the queue is: <c>--transport</c>, <c>--storage</c>, <c>--service-bus</c>, <c>--service-bus-websockets</c>, <c>--lease</c>.</summary>
internal static class TransportOption
{
    private static readonly Option<string?> Transport = Create();

    private static readonly Option<string?> Storage = new("--storage")
    {
        Description = $"The Azure Storage account: its name or address (then this process's identity is used), or a connection string, which better stands in {TransportOptions.StorageVariable}: a command line can be seen by others.",
        HelpName = "ACCOUNT",
    };

    private static readonly Option<string?> ServiceBus = new("--service-bus")
    {
        Description = $"The Service Bus namespace: its host (then this process's identity is used), or a connection string, which better stands in {TransportOptions.ServiceBusVariable}.",
        HelpName = "NAMESPACE",
    };

    private static readonly Option<bool> WebSockets = new("--service-bus-websockets")
    {
        Description = $"Speak to Service Bus over WebSockets, at port 443, where a firewall lets nothing else out; also {TransportOptions.WebSocketsVariable}=true.",
    };

    private static readonly Option<int?> Lease = CreateLease();

    public static void AddTo(Command command)
    {
        foreach (Option option in (Option[])[Transport, Storage, ServiceBus, WebSockets, Lease]) command.Options.Add(option);
    }

    /// <param name="data">The data folder; null means the user's.</param>
    public static TransportOptions Read(ParseResult arguments, string? data)
    {
        string? kind = arguments.GetValue(Transport) ?? Set(TransportOptions.KindVariable);
        bool isKnown = kind is null || TransportOptions.Names.Contains(kind);
        return new TransportOptions
        {
            Kind = isKnown && kind is not null ? TransportOptions.Parse(kind) : default,
            UnknownKind = isKnown ? null : kind,
            DataFolder = data,
            LeaseTime = arguments.GetValue(Lease) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
            Storage = arguments.GetValue(Storage) ?? Set(TransportOptions.StorageVariable) ?? Set(TransportOptions.AccountNameVariable),
            ServiceBus = arguments.GetValue(ServiceBus) ?? Set(TransportOptions.ServiceBusVariable) ?? Set(TransportOptions.NamespaceVariable),
            UseWebSockets = arguments.GetValue(WebSockets) || string.Equals(Set(TransportOptions.WebSocketsVariable), "true", StringComparison.OrdinalIgnoreCase),
        };
    }

    private static string? Set(string variable) => Environment.GetEnvironmentVariable(variable) is { Length: > 0 } value ? value : null;

    private static Option<int?> CreateLease()
    {
        return NumberOption.Bound(new Option<int?>("--lease")
        {
            Description = "Seconds without a sign of life after which the work of a worker is given to another, 1 to 300; the same for all processes. [default: 60 embedded, 30 in Azure Storage; Service Bus has it in its queues' settings]",
            HelpName = "SECONDS",
        }, 1, 300);
    }

    private static Option<string?> Create()
    {
        Option<string?> option = new("--transport")
        {
            Description = $"How gateways and workers are connected: embedded (the data folder, on one machine), storage (Azure Storage) or servicebus (Azure Service Bus, with results in Azure Storage); also {TransportOptions.KindVariable}. [default: {new TransportOptions().Name}]",
            HelpName = string.Join('|', TransportOptions.Names),
        };
        option.AcceptOnlyFromAmong([.. TransportOptions.Names]);
        return option;
    }
}
