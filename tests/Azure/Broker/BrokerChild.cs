namespace R1Serverless.Tests.Azure.Broker;

/// <summary>The stand-in for Service Bus as a process of its own: says its connection string, and ends with its input. For `r1 bench queue
/// --transport servicebus`.</summary>
internal static class BrokerChild
{
    public const string Command = "--broker";

    // As the README asks of a namespace.
    private static readonly BrokerOptions Options = new() { LockTime = TimeSpan.FromSeconds(60), MaxDeliveries = 50 };

    public static async Task<int> RunAsync()
    {
        await using StandInBroker broker = new(Options);
        Console.WriteLine(broker.ConnectionString);
        while (await Console.In.ReadLineAsync() is not null)
        {
            // Nothing is asked of it but to stay.
        }

        return 0;
    }
}
