namespace R1Serverless.Hosting;

/// <summary>The product's <see cref="ModelLoader"/>: the engine in this process, over the folders that the options name.</summary>
internal static class LocalModels
{
    public static Task<LoadedModels> LoadAsync(ServeOptions options, IProgress<string> progress, CancellationToken cancellationToken) =>
        throw new ModelLoadException("there is no engine in this build.");
}
