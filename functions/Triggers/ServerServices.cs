namespace R1Serverless.Triggers;

/// <summary>The server's services, for functions, which may be invoked before the server has been put together; and its lifetime, which the host
/// ends.</summary>
internal sealed class ServerServices : IHostApplicationLifetime
{
    private readonly TaskCompletionSource<IServiceProvider> _set = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public CancellationToken ApplicationStarted => CancellationToken.None;

    public CancellationToken ApplicationStopping => CancellationToken.None;

    public CancellationToken ApplicationStopped => CancellationToken.None;

    public void Set(IServiceProvider services) => _set.SetResult(services);

    public Task<IServiceProvider> GetAsync(CancellationToken cancellationToken) => _set.Task.WaitAsync(cancellationToken);

    public void StopApplication() => _ = StopAsync();

    private async Task StopAsync() => (await _set.Task).GetRequiredService<IHostApplicationLifetime>().StopApplication();
}
