using R1Serverless.Requests;

namespace R1Serverless.Hosting;

/// <summary>What loading gives: the engine and what it serves, the first model loaded. The engine is disposed at the end if it can be.</summary>
internal sealed record LoadedModels(IInference Inference, IReadOnlyList<ServedModel> Models);

/// <summary>Opens the models of <paramref name="options"/> and loads and warms what is to be loaded at the start. <paramref name="progress"/> takes lines for the terminal. A wrong name, folder
/// or file throws <see cref="Models.InvalidModelException"/>, a model that won't run <see cref="Runtime.ModelLoadException"/>; both have words for the operator.</summary>
internal delegate Task<LoadedModels> ModelLoader(ServeOptions options, IProgress<string> progress, CancellationToken cancellationToken);
