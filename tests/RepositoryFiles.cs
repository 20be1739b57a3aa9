namespace R1Serverless.Tests;

/// <summary>Files of the repository that tests read from the source tree.</summary>
internal static class RepositoryFiles
{
    public static string Root { get; } = FindRoot();

    public static string Path(params ReadOnlySpan<string> parts) => System.IO.Path.Combine([Root, .. parts]);

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(System.IO.Path.Combine(folder, "R1Serverless.sln")))
        {
            folder = System.IO.Path.GetDirectoryName(folder) ?? throw new InvalidOperationException($"R1Serverless.sln is in no folder above {AppContext.BaseDirectory}.");
        }

        return folder;
    }
}
