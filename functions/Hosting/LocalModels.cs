using R1Serverless.Building;
using R1Serverless.Generation;
using R1Serverless.Models;
using R1Serverless.Requests;
using R1Serverless.Runtime;

namespace R1Serverless.Hosting;

/// <summary>The product's <see cref="ModelLoader"/>: the engine in this process, over the folders that the options name.</summary>
internal static class LocalModels
{
    /// <summary>Without a word about it, an eighth of the memory this process may use is for keys and values.</summary>
    private const int MemoryShare = 8;

    public static async Task<LoadedModels> LoadAsync(ServeOptions options, IProgress<string> progress, CancellationToken cancellationToken)
    {
        List<LoadedVariant> loaded = [];
        // Building and loading block for seconds: a thread of their own, so that the port answers meanwhile.
        await Task.Factory.StartNew(
            () => loaded.AddRange(Folders(options, progress, cancellationToken).Select(folder => Open(folder, options))),
            cancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default);
        return new LoadedModels(new LocalInference(loaded), [.. loaded.Select(Describe)]);
    }

    /// <summary>The models that the options name, built first where a shipped checkpoint was not yet.</summary>
    public static IEnumerable<ModelFolder> Folders(ServeOptions options, IProgress<string> progress, CancellationToken cancellationToken)
    {
        var repository = new ModelRepository(options.DataFolder is { } data ? Path.Combine(data, "models") : DataFolder.Models);
        foreach (var named in options.Models.Count > 0 ? options.Models : [ShippedModels.Nano])
        {
            if (IsFolder(named)) yield return ModelFolder.Open(named);
            else if (ShippedModels.Find(named) is { } checkpoint) yield return EnsureBuilt(repository, checkpoint, named, progress, cancellationToken);
            else yield return repository.Find(named) ?? throw new ModelLoadException($"there is no model '{named}' in {repository.Path}, and no such folder; `r1 model list` shows what there is.");
        }
    }

    /// <summary>Whether the argument is a folder rather than a model's name: it has a separator, or a built model is in it. Any other folder that happens to
    /// have the name hides no model.</summary>
    public static bool IsFolder(string named) =>
        named.Contains(Path.DirectorySeparatorChar) || named.Contains(Path.AltDirectorySeparatorChar) || File.Exists(Path.Combine(named, ModelManifest.FileName));

    private static ModelFolder EnsureBuilt(ModelRepository repository, string checkpoint, string name, IProgress<string> progress, CancellationToken cancellationToken)
    {
        var before = repository.Find(name)?.Manifest.Fingerprint;
        var folder = repository.EnsureBuilt(checkpoint, name, TimeProvider.System, cancellation: cancellationToken);
        if (folder.Manifest.Fingerprint != before) progress.Report($"Built {name} from its checkpoint into {folder.Path}.");
        return folder;
    }

    private static LoadedVariant Open(ModelFolder folder, ServeOptions options)
    {
        var memory = options.KeyValueMemoryBytes ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / MemoryShare;
        var engine = new EngineOptions { KvMemory = memory, MaxWaiting = options.MaxWaiting };
        return LoadedVariant.Open(folder, folder.Manifest.Variants[0], new RuntimeOptions { Threads = options.Threads ?? 0 }, engine, TimeProvider.System);
    }

    private static ServedModel Describe(LoadedVariant model) => new()
    {
        Id = model.Id,
        Created = model.Folder.Manifest.Created,
        OwnedBy = "r1serverless",
        ContextLength = model.Folder.Config.ContextLength,
        Precision = PrecisionName.Of(model.Variant.Precision),
        Device = model.Device,
        Bytes = model.Variant.Bytes,
        LoadTime = model.LoadTime,
        WarmupTime = model.WarmupTime,
        Counts = () => new SequenceCounts(model.Load.Running, model.Load.Waiting),
    };
}
