using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using R1Serverless.Api.Webhooks;
using R1Serverless.Hosting;
using R1Serverless.ModelLoading;
using R1Serverless.Queues;
using R1Serverless.Queues.Batches;
using R1Serverless.Serving;

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
        await using var server = await TestServer.StartLoadingAsync((_, _, _) => Task.FromResult(new LoadedModels(
            FakeInference.Thoughtful(), () => throw new InvalidOperationException("it broke"), () => default)));
        await server.UntilStoppingAsync();
        Assert.Equal(1, server.Services.GetRequiredService<ProcessEnd>().ExitCode);
        Assert.NotEqual("", server.Errors.ToString());
    }

    [Theory]
    [InlineData(ServeRole.All)]
    [InlineData(ServeRole.Gateway)]
    [InlineData(ServeRole.Worker)]
    public async Task What_fails_in_the_background_of_the_queue_ends_the_process_in_every_role(object role)
    {
        await using var server = await TestServer.StartLoadingAsync(
            (_, _, _) => Task.FromResult(new LoadedModels(FakeInference.Thoughtful(), () => [TestServer.Served()], () => default)),
            new ServeOptions { Role = (ServeRole)role }, new WithoutTimer(QueueSignals.Period));
        await server.UntilStoppingAsync();
        Assert.Equal(1, server.Services.GetRequiredService<ProcessEnd>().ExitCode);
        Assert.NotEqual("", server.Errors.ToString());
    }

    /// <summary>Beside it, other work of the same service goes on.</summary>
    [Theory]
    [InlineData(500)]
    [InlineData(3_600_000)]
    public async Task What_fails_of_the_batches_or_of_the_retention_ends_the_process(int period)
    {
        Assert.Equal(500, new BatchLimits().Look.TotalMilliseconds);
        ServeOptions options =
            new() { WebhookHosts = ["localhost"], WebhookSecret = WebhookSecret.Parse("whsec_" + Convert.ToBase64String(new byte[32])) };
        await using var server = await TestServer.StartLoadingAsync(
            (_, _, _) => Task.FromResult(new LoadedModels(FakeInference.Thoughtful(), () => [TestServer.Served()], () => default)),
            options, new WithoutTimer(TimeSpan.FromMilliseconds(period)));
        await server.UntilStoppingAsync();
    }

    [Fact]
    public async Task A_worker_that_can_not_tell_what_it_serves_ends_instead_of_working_unseen()
    {
        var asked = 0;
        await using var server = await TestServer.StartLoadingAsync(
            // The first two times for what the operator reads.
            (_, _, _) =>
            Task.FromResult(
            new LoadedModels(FakeInference.Thoughtful(), () => ++asked > 2 ? throw new InvalidOperationException("it broke") : [TestServer.Served()],
            () => default)),
            new ServeOptions { Role = ServeRole.Worker });
        await server.UntilStoppingAsync();
        Assert.Equal(1, server.Services.GetRequiredService<ProcessEnd>().ExitCode);
    }

    private static async Task<int> RunAsync(IHostedService service)
    {
        var builder = WebApplication.CreateSlimBuilder();
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

    /// <summary>A clock by which nothing can be done each such period.</summary>
    private sealed class WithoutTimer(TimeSpan refused) : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = base.CreateTimer(callback, state, dueTime, period);
            // Not by throwing here: a PeriodicTimer that was never made whole ends the process in its finalizer. It refuses a second wait at a time
            // instead.
            if (period == refused)
                state!.GetType().GetMethod("WaitForNextTickAsync")!.Invoke(state, [new PeriodicTimer(TimeSpan.FromHours(1)), CancellationToken.None]);
            return timer;
        }
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
