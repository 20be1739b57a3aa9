namespace R1Serverless.Models;

/// <summary>A folder with one built model per sub-folder. Names that begin with a dot are builds under way.</summary>
public sealed class ModelRepository(string path)
{
    /// <summary>Absolute; need not exist yet.</summary>
    public string Path { get; } = System.IO.Path.GetFullPath(path);

    /// <summary>Every built model by name; folders that hold none are passed over.</summary>
    /// <exception cref="InvalidModelException">A model is damaged.</exception>
    public IReadOnlyList<ModelFolder> List()
    {
        if (!Directory.Exists(Path))
        {
            return [];
        }

        return [.. Directory.EnumerateDirectories(Path)
            .Where(folder => !System.IO.Path.GetFileName(folder).StartsWith('.') && File.Exists(System.IO.Path.Combine(folder, ModelManifest.FileName)))
            .Select(ModelFolder.Open)
            .OrderBy(model => model.Name, StringComparer.Ordinal)];
    }

    /// <summary>The model of this name, or null.</summary>
    /// <exception cref="InvalidModelException">It is damaged.</exception>
    public ModelFolder? Find(string name) =>
        IsName(name) && File.Exists(System.IO.Path.Combine(FolderOf(name), ModelManifest.FileName)) ? ModelFolder.Open(FolderOf(name)) : null;

    /// <summary>Where the model of this name is or will be.</summary>
    public string FolderOf(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Letters, digits, dot, dash and underscore; no leading dot; at most 100 characters.</summary>
    public static bool IsName(string name) =>
        name.Length is > 0 and <= 100 && name[0] != '.' && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_');
}
