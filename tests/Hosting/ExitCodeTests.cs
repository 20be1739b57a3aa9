using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using R1Serverless.Hosting;

namespace R1Serverless.Tests.Hosting;

/// <summary>What whoever started the process learns of its end.</summary>
public sealed class ExitCodeTests
{
    [Fact]
    public async Task Told_to_stop_before_the_port_is_open_it_stops_in_order_and_gives_0()
    {
        Stopping service = new();
        Assert.Equal(0, await RunAsync(service));
        Assert.Equal((true, true), (service.IsStopped, service.IsDisposed));
    }

    [Fact]
    public async Task A_service_that_fails_gives_1() => Assert.Equal(1, await RunAsync(new Failing()));

    [Fact]
    public async Task What_fails_once_the_models_are_loaded_ends_the_process_though_the_queues_work_goes_on()
    {
        await using TestServer server = await TestServer.StartLoadingAsync((_, _, _) => Task.FromResult(new LoadedModels(
            FakeInference.Thoughtful(), () => throw new InvalidOperationException("it broke"), () => default)));
        TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using CancellationTokenRegistration registration = server.Services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping.Register(stopped.SetResult);
        await stopped.Task.WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
        Assert.Equal(1, server.Services.GetRequiredService<ProcessEnd>().ExitCode);
        Assert.Contains("it could not become ready", server.Errors.ToString(), StringComparison.Ordinal);
    }

    private static async Task<int> RunAsync(IHostedService service)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(provider => new ProcessEnd(provider.GetRequiredService<IHostApplicationLifetime>(), TextWriter.Null));
        // By a factory: what was made elsewhere is not disposed with the host.
        builder.Services.AddSingleton(provider =>
        {
            if (service is Stopping stopping) stopping.Lifetime = provider.GetRequiredService<IHostApplicationLifetime>();
            return service;
        });
        return await ServeHost.RunAsync(builder.Build(), TextWriter.Null).WaitAsync(TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken);
    }

    /// <summary>A signal in the middle of the start.</summary>
    private sealed class Stopping : IHostedService, IDisposable
    {
        public IHostApplicationLifetime? Lifetime { get; set; }

        public bool IsStopped { get; private set; }

        public bool IsDisposed { get; private set; }

        public Task StartAsync(CancellationToken cancellationToken)
        {
            Lifetime!.StopApplication();
            cancellationToken.ThrowIfCancellationRequested();
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken)
        {
            IsStopped = true;
            return Task.CompletedTask;
        }

        public void Dispose() => IsDisposed = true;
    }

    private sealed class Failing : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            await Task.Yield();
            throw new InvalidOperationException("it broke");
        }
    }
}
