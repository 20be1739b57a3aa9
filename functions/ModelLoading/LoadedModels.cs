using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Models;
using R1Serverless.Queues.Worker;
using R1Serverless.Serving;

namespace R1Serverless.ModelLoading;

/// <summary>What loading gives: the engine and what it serves, the first model loaded. The engine is disposed at the end if it can be.</summary>
/// <param name="Models">A snapshot of what is served; safe to ask from any thread.</param>
/// <param name="Load">What the engines have to do right now; asked often, from any thread.</param>
internal sealed record LoadedModels(IInference Inference, Func<IReadOnlyList<ServedModel>> Models, Func<WorkerLoad> Load)
{
    /// <summary>How far the start came and when, as timestamps of the clock: the sessions, the warm models.</summary>
    public IReadOnlyList<(StartupPhase Phase, long At)> Reached { get; init; } = [];

    /// <summary>What is to go on once everything that happens is measured; called once.</summary>
    public Action Begin { get; init; } = static () => { };

    /// <summary>Called when the process begins to stop: no model changes any more.</summary>
    public Action StopUpdates { get; init; } = static () => { };

    /// <summary>Whom this process asks over its own port before anybody else may; null for nobody.</summary>
    public string? WarmupModel { get; init; }
}

/// <summary>Opens the models of <paramref name="options"/> and loads and warms what is to be loaded at the start. A wrong name, folder
/// or file throws <see cref="InvalidModelException"/>, a model that won't run <see cref="ModelLoadException"/>; both have words for the
/// operator.</summary>
internal delegate Task<LoadedModels> ModelLoader(ServeOptions options, IStartProgress progress, CancellationToken cancellationToken);
