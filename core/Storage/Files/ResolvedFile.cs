namespace R1Serverless.Storage.Files;

/// <summary>A file's length and date where it may be a link, as downloads and mounted volumes have them: a link's own say nothing of what is read
/// through it.</summary>
public static class ResolvedFile
{
    /// <exception cref="IOException">The link leads in a circle.</exception>
    public static FileInfo At(string path) => File.ResolveLinkTarget(path, returnFinalTarget: true) as FileInfo ?? new FileInfo(path);
}
