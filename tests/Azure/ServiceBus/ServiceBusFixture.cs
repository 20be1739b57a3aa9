using R1Serverless.Azure.ServiceBus;
using R1Serverless.Queues;
using R1Serverless.Storage;
using R1Serverless.Storage.Files;
using R1Serverless.Tests.Auth;
using R1Serverless.Tests.Azure.Broker;
using R1Serverless.Tests.Queues.Contract;

namespace R1Serverless.Tests.Azure.ServiceBus;

/// <summary>A stand-in for a namespace, and a folder for the objects.</summary>
internal sealed class ServiceBusFixture : TransportFixture
{
    private readonly string _folder = Directory.CreateTempSubdirectory("r1-servicebus-").FullName;
    private readonly FileObjectStore _store;

    public ServiceBusFixture(Func<BrokerOptions, BrokerOptions>? configure = null)
    {
        BrokerOptions options = new() { Clock = Time, LockTime = LockTime };
        Broker = new StandInBroker(configure is null ? options : configure(options));
        _store = new FileObjectStore(_folder, TimeProvider.System, TimeProvider.System);
        _store.Open();
        Options = new ServiceBusOptions { ConnectionString = Broker.ConnectionString, LeaseTime = LockTime };
    }

    /// <summary>With a queue for each of these routes.</summary>
    public static ServiceBusFixture WithRoutes(params IEnumerable<RequestRoute> routes) => new(options => options with
    {
        Queues = [.. options.Queues, .. routes.Select(RouteName.Of).SelectMany(name => new[] { $"r1-interactive-{name}", $"r1-bulk-{name}" })],
    });

    public static TimeSpan LockTime { get; } = TimeSpan.FromSeconds(30);

    public override bool TellsLeasedFromWaiting => false;

    public ShiftedTime Time { get; } = new();

    public StandInBroker Broker { get; }

    public IObjectStore Store => _store;

    /// <summary>Of all instances.</summary>
    public CapturedLog<ServiceBusTransport> Log { get; } = new();

    public ServiceBusOptions Options { get; set; }

    public override async ValueTask PassAsync(TimeSpan time)
    {
        Time.Advance(time);
        await Broker.PassAsync();
    }

    public override async ValueTask PutRawAsync(WorkClass workClass, byte[] body) => await Broker.AskAsync(() =>
    {
        Broker.Queue(workClass == WorkClass.Interactive ? "r1-interactive" : "r1-bulk").Enqueue(BrokerMessage.Of(body));
        Broker.Dispatch();
        return true;
    });

    public ServiceBusTransport New(ServiceBusOptions options) => new(options, _store, Time, Log);

    protected override Transport Create() => New(Options);

    protected override async ValueTask RemoveAsync()
    {
        await Broker.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
