namespace R1Serverless.Models.Folders;

/// <summary>Where this user's models and state are kept unless a command says otherwise.</summary>
public static class DataFolder
{
    /// <summary>For example ~/.local/share/r1serverless on Linux.</summary>
    public static string Default { get; } = Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData,
        Environment.SpecialFolderOption.DoNotVerify) is { Length: > 0 } folder
            ? folder
            : Path.GetTempPath(),
        "r1serverless");

    /// <summary>The models in a data folder; in this user's where none is named.</summary>
    public static ModelRepository Repository(string? folder) => new(Path.Combine(folder ?? Default, "models"));

    /// <summary>Where versions from shared repositories are kept in a data folder; in this user's where none is named. Absolute.</summary>
    public static string Cache(string? folder) => Path.GetFullPath(Path.Combine(folder ?? Default, "cache"));
}
