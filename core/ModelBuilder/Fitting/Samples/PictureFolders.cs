using R1Serverless.Images;

namespace R1Serverless.ModelBuilder.Fitting.Samples;

/// <summary>Samples as a folder of folders: each picture's label is the path of its folder in it.</summary>
internal static class PictureFolders
{
    /// <exception cref="InvalidDataException">A picture lies in no folder of its own, or can't be taken.</exception>
    public static PictureSamples Read(string folder, SampleFields fields, CancellationToken cancellation)
    {
        if (fields.Kind != SampleKind.Pictures)
            throw new InvalidDataException(fields.Kind == SampleKind.Texts ? "it is a folder, and the encoder makes vectors of texts, not of images."
                : "it is a folder: pictures need an encoder that makes vectors of images. Name one with --encoder.");
        if (fields.Columns.Count > 0) throw new InvalidDataException("it is a folder, which has no columns.");
        PictureCollection pictures = new(folder, isOfFolders: true);
        var (names, others) = PictureFiles.Find(folder);
        foreach (var (i, name) in names.Index())
        {
            cancellation.ThrowIfCancellationRequested();
            var label = Path.GetDirectoryName(name)!.Replace('\\', '/');
            if (label.Length == 0)
                throw new InvalidDataException($"{name}: it lies in no folder below, whose name would be its label.");
            pictures.Add(i + 1, name, label);
        }

        var endings = string.Join(", ", others.Select(Ending).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
        var words = others.Count == 1 ? "file that is no picture by its name" : "files that are no pictures by their names";
        if (others.Count > 0) pictures.Note($"Passed over: {others.Count} {words} ({endings}).");
        return pictures.ToSamples();
    }

    private static string Ending(string name) => Path.GetExtension(name) is { Length: > 0 } ending ? ending : Path.GetFileName(name);
}
