using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>What loading gives: the engine and what it serves. The engine is disposed at the end if it can be.</summary>
internal sealed record LoadedModels(IInference Inference, IReadOnlyList<ServedModel> Models);

/// <summary>Loads and warms the models of <paramref name="options"/>. <paramref name="progress"/> takes lines for the terminal. A wrong name, folder
/// or file throws <see cref="ModelLoadException"/>.</summary>
internal delegate Task<LoadedModels> ModelLoader(ServeOptions options, IProgress<string> progress, CancellationToken cancellationToken);

/// <summary>Says in words for the operator why a model cannot be served and what to do.</summary>
internal sealed class ModelLoadException(string message, Exception? inner = null) : Exception(message, inner);
