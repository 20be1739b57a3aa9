namespace R1Serverless.Models.Folders;

/// <summary>A folder with one model per sub-folder. Names that begin with a dot are builds under way.</summary>
public sealed class ModelRepository(string path)
{
    /// <summary>Absolute; need not exist yet.</summary>
    public string Path { get; } = System.IO.Path.GetFullPath(path);

    /// <summary>The names of the models, in order; folders that hold none are passed over.</summary>
    public IReadOnlyList<string> Names() => !Directory.Exists(Path) ? [] : [.. Directory.EnumerateDirectories(Path)
        .Select(folder => System.IO.Path.GetFileName(folder))
        .Where(name => ModelName.IsValid(name) && ModelFolder.IsAt(FolderOf(name)))
        .Order(StringComparer.Ordinal)];

    /// <summary>Every model, by name.</summary>
    /// <exception cref="InvalidModelException">A model is damaged, or can't be served.</exception>
    public IReadOnlyList<ModelFolder> List() => [.. Names().Select(Find).OfType<ModelFolder>()];

    /// <summary>The model of this name, or null.</summary>
    /// <exception cref="InvalidModelException">It is damaged, or can't be served.</exception>
    public ModelFolder? Find(string name) =>
        ModelName.IsValid(name) && ModelFolder.IsAt(FolderOf(name)) ? ModelFolder.Open(FolderOf(name)) : null;

    /// <summary>Where the model of this name is or will be.</summary>
    public string FolderOf(string name) => System.IO.Path.Combine(Path, name);
}
