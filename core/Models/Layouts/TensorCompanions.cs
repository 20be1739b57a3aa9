namespace R1Serverless.Models.Layouts;

/// <summary>The files beside a graph that say how it is asked and what its answers mean, as Hugging Face and sentence-transformers lay them
/// out.</summary>
public static class TensorCompanions
{
    private static readonly string[] Names =
    [
        .. ModelFiles.TokenizerFiles, .. ModelFiles.LabelFiles, ModelFiles.ConfigFile, ModelFiles.ImageFile, ModelFiles.ModulesFile,
        ModelFiles.PromptsFile, ModelFiles.LengthFile, ModelFiles.SeriesFile,
    ];

    /// <summary>The folder that they lie in: the graph's, or the one above where that is called onnx.</summary>
    public static string FolderOf(string graph)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(graph))!;
        return Path.GetFileName(folder) == "onnx" && Path.GetDirectoryName(folder) is { } above ? above : folder;
    }

    /// <summary>Those that are there, relative to <see cref="FolderOf"/>.</summary>
    public static IEnumerable<string> Of(string graph)
    {
        var folder = FolderOf(graph);
        // Steps of sentence-transformers have folders of their own: 1_Pooling.
        var steps = Directory.EnumerateDirectories(folder).Select(Path.GetFileName).OfType<string>()
            .Where(name => char.IsAsciiDigit(name[0]) && name.Contains('_')).Select(name => Path.Combine(name, ModelFiles.ConfigFile));
        return Names.Concat(steps).Where(name => File.Exists(Path.Combine(folder, name))).Order(StringComparer.Ordinal);
    }
}
