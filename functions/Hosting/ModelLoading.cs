using R1Serverless.Models;
using R1Serverless.Runtime;

namespace R1Serverless.Hosting;

/// <summary>Loads the models once the port is open, opens the API, and disposes the engine when the host stops.</summary>
internal sealed partial class ModelLoading(
    Serving serving,
    ServeOptions options,
    ModelLoader load,
    StartupReport report,
    ProcessEnd end,
    IHostApplicationLifetime lifetime,
    ILogger<ModelLoading> log)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        TaskCompletionSource started = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using CancellationTokenRegistration onStart = lifetime.ApplicationStarted.Register(started.SetResult);
        await started.Task.WaitAsync(stoppingToken);
        report.Listening();

        LoadedModels loaded;
        try
        {
            loaded = await load(options, report, stoppingToken);
        }
        catch (Exception fault) when (fault is InvalidModelException or ModelLoadException or IOException or UnauthorizedAccessException)
        {
            end.Fail(fault.Message);
            return;
        }
        catch (Exception fault) when (!stoppingToken.IsCancellationRequested)
        {
            LogFailure(fault);
            end.Fail("the models could not be loaded; the log says why.");
            return;
        }

        try
        {
            serving.Open(loaded.Inference, loaded.Models);
            report.Ready(loaded.Models);
            await Task.Delay(Timeout.Infinite, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        finally
        {
            if (loaded.Inference is IAsyncDisposable engine) await engine.DisposeAsync();
        }
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "Loading the models failed")]
    private partial void LogFailure(Exception fault);
}
