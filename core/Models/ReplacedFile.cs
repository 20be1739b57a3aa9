namespace R1Serverless.Models;

/// <summary>A file that is replaced as a whole: readers see the old one or the new one.</summary>
internal static class ReplacedFile
{
    public static void Write(string path, Action<Stream> write)
    {
        var written = $"{path}.{Guid.NewGuid():N}.new";
        try
        {
            using (var stream = File.Create(written))
            {
                write(stream);
            }

            File.Move(written, path, overwrite: true);
        }
        catch
        {
            File.Delete(written);
            throw;
        }
    }
}
