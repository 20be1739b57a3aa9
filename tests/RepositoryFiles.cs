namespace R1Serverless.Tests;

/// <summary>Files of the repository that tests read from the source tree.</summary>
internal static class RepositoryFiles
{
    public static string Root { get; } = FindRoot();

    public static string Path(params ReadOnlySpan<string> parts) => System.IO.Path.Combine([Root, .. parts]);

    /// <summary>The product's C# files.</summary>
    public static IEnumerable<string> Sources() =>
        from folder in (string[])["core", "functions"]
        from file in Directory.EnumerateFiles(Path(folder), "*.cs", SearchOption.AllDirectories)
        where !System.IO.Path.GetRelativePath(Root, file).Split(System.IO.Path.DirectorySeparatorChar).Intersect(["bin", "obj"]).Any()
        select file;

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(System.IO.Path.Combine(folder, "R1Serverless.sln")))
        {
            folder = System.IO.Path.GetDirectoryName(folder)
                ?? throw new InvalidOperationException($"R1Serverless.sln is in no folder above {AppContext.BaseDirectory}.");
        }

        return folder;
    }
}
