namespace R1Serverless.Tests.EndToEnd;

/// <summary>One serving process for the tests of a class that leave it as they found it.</summary>
public sealed class SharedServer : IAsyncLifetime
{
    public ServeProcess Process { get; private set; } = null!;

    /// <summary>As the first start of all, which builds the shipped model.</summary>
    public async ValueTask InitializeAsync() => Process = await ServeProcess.StartAsync("--model", ServeProcess.Model);

    public ValueTask DisposeAsync() => Process.DisposeAsync();
}
