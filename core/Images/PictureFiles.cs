namespace R1Serverless.Images;

/// <summary>Files of pictures, told by their names.</summary>
public static class PictureFiles
{
    /// <summary>Lower case.</summary>
    public static IReadOnlyList<string> Extensions { get; } = [".png", ".jpg", ".jpeg", ".webp"];

    /// <summary>The files in a folder and below, relative to it and in order: those that are pictures by their names, and the others.</summary>
    public static (IReadOnlyList<string> Pictures, IReadOnlyList<string> Others) Find(string folder)
    {
        var files = Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(folder, file))
            .Order(StringComparer.Ordinal).ToLookup(file => Extensions.Contains(Path.GetExtension(file).ToLowerInvariant()));
        return ([.. files[true]], [.. files[false]]);
    }

    /// <summary>The bytes of a file that is a picture by the first of them; a client's text, such as base64, is none here.</summary>
    /// <param name="place">Says in an error which file it is.</param>
    /// <exception cref="InvalidDataException">It is no PNG, JPEG or WebP.</exception>
    public static async Task<byte[]> ReadAsync(string path, string place, CancellationToken cancellationToken)
    {
        var content = await File.ReadAllBytesAsync(path, cancellationToken);
        return ImageFormat.Refusal(content) is not { } refusal ? content : throw new InvalidDataException($"{place}: the image {refusal}.");
    }
}
