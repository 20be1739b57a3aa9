namespace R1Serverless.Tests.EndToEnd;

/// <summary>A gateway and a worker over one folder, for the tests of a class that leave them as they found them.</summary>
public sealed class SharedPair : IAsyncLifetime
{
    private readonly string _data = Directory.CreateTempSubdirectory("r1-pair-").FullName;

    public ServeProcess Gateway { get; private set; } = null!;

    public ServeProcess Worker { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Worker = await ServeProcess.StartInAsync(_data, "--role", "worker");
        Gateway = await ServeProcess.StartInAsync(_data, "--role", "gateway");
    }

    public async ValueTask DisposeAsync()
    {
        await Gateway.DisposeAsync();
        await Worker.DisposeAsync();
        Directory.Delete(_data, recursive: true);
    }
}
