using R1Serverless.Abstractions;
using R1Serverless.Api.Dispatch;
using R1Serverless.Engine.Devices;
using R1Serverless.ModelLoading;
using R1Serverless.Models;
using R1Serverless.Monitoring;
using R1Serverless.Serving;
using R1Serverless.Storage;
using R1Serverless.Warmup;

namespace R1Serverless.Hosting;

/// <summary>Loads the models while the port is opened, opens the API, processes the queue, and disposes the engine when the host stops.</summary>
internal sealed partial class ModelLoadingService(
    ServingState serving, ServeOptions options, ModelLoader load, QueueConnection connection, QueueWork work, StartupReport report, ProcessEnd end,
    TimeProvider time, IHostApplicationLifetime lifetime, StartupTimeline timeline, EndpointWarmup warmup, FirstToken first,
    ILogger<ModelLoadingService> log, MonitoringStart? monitoring = null) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Beside the web server's own start; what fails is told once the port answers.
        var loading = LoadAsync(stoppingToken);
        LoadedModels loaded;
        try
        {
            await PortOpened.WaitAsync(lifetime, stoppingToken);
            timeline.Mark(StartupPhase.PortOpen);
            report.Listening();
            if (options.Role == ServeRole.Worker) report.Connected((await connection.OpenAsync(stoppingToken)).Transport.Description);
            loaded = await loading;
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            await FreeAsync(loading);
            throw;
        }
        catch (Exception fault) when (fault is InvalidModelException or ModelLoadException or IOException or UnauthorizedAccessException
            or TransportException)
        {
            end.Fail(fault.Message);
            await FreeAsync(loading);
            return;
        }
        catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
        {
            LogFailure(fault);
            end.Fail("the models could not be loaded; the log says why.");
            await FreeAsync(loading);
            return;
        }

        foreach ((var phase, var at) in loaded.Reached) timeline.TryMark(phase, at);
        var engine = loaded.Inference;
        var early = Task.CompletedTask;
        try
        {
            using var draining = serving.Drain.Register(loaded.StopUpdates);
            if (monitoring is not null)
            {
                await monitoring.Started.WaitAsync(stoppingToken);
                monitoring.Watch(loaded);
                loaded = loaded with { Inference = new MeteredInference(engine, time) };
            }

            loaded.Begin();

            // What the queue's work loads and compiles should not slow the first request; a worker leases nothing before it is ready.
            if (options.Role == ServeRole.All) early = WorkAsync(loaded, stoppingToken);
            DeadlineInference own = new(loaded.Inference, time);
            FirstTokenWatch answering = new(options.Role == ServeRole.All ? new OtherWorkersInference(own, connection) : own, first);
            report.Loaded(loaded.Models());
            if (loaded.WarmupModel is { } model)
                await warmup.RunAsync(new FirstTokenWarmup(new DeadlineInference(engine, time), time), model, stoppingToken);
            timeline.Mark(StartupPhase.Ready);
            serving.Open(answering, _ => ValueTask.FromResult(loaded.Models()));
            report.Ready(loaded.Models());
            await (options.Role == ServeRole.All ? early : WorkAsync(loaded, stoppingToken));
            await Task.Delay(Timeout.Infinite, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
        {
            // The queue's work goes on until the process is told to stop.
            LogStartFailure(fault);
            end.Fail("it could not become ready; the log says why.");
        }
        finally
        {
            await early.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await FreeAsync(engine);
        }
    }

    /// <summary>What was loaded all the same: a process that ends meanwhile crashes in ONNX Runtime's library.</summary>
    private static async Task FreeAsync(Task<LoadedModels> loading)
    {
        await ((Task)loading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (loading.IsCompletedSuccessfully) await FreeAsync((await loading).Inference);
    }

    private static ValueTask FreeAsync(IInference engine) =>
        engine is IAsyncDisposable disposable ? disposable.DisposeAsync() : ValueTask.CompletedTask;

    private async Task<LoadedModels> LoadAsync(CancellationToken stoppingToken)
    {
        // A worker without a queue is none; with everything in one process the queue can wait until requests are answered.
        if (options.Role == ServeRole.Worker) await connection.OpenAsync(stoppingToken);
        return await load(options, report, stoppingToken);
    }

    private async Task WorkAsync(LoadedModels loaded, CancellationToken stoppingToken)
    {
        try
        {
            var queue = await connection.OpenAsync(stoppingToken);
            if (options.Role == ServeRole.All) report.Connected(queue.Transport.Description);
            await work.RunAsync(queue, loaded with { Inference = new FirstTokenWatch(loaded.Inference, first) });
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // It stopped before the queue was open.
        }
        catch (TransportException fault)
        {
            end.Fail(fault.Message);
        }
        catch (Exception fault)
        {
            LogWorkFailure(fault);
            end.Fail("the work on the queue ended by a fault; the log says why.");
        }
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "Loading the models failed")]
    private partial void LogFailure(Exception fault);

    [LoggerMessage(Level = LogLevel.Critical, Message = "The start failed when the models were loaded")]
    private partial void LogStartFailure(Exception fault);

    [LoggerMessage(Level = LogLevel.Critical, Message = "The work on the queue failed")]
    private partial void LogWorkFailure(Exception fault);
}
