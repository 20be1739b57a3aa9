using System.Globalization;
using System.Text;
using R1Serverless.Storage.Files;

namespace R1Serverless.ModelBuilder.Fitting.Samples;

/// <summary>Reads samples from JSON lines, from a table with a header (CSV, with commas, semicolons or tabs), or from a folder with a folder of
/// pictures for each label.</summary>
public static class SampleFile
{
    /// <exception cref="InvalidDataException">Names the line and the field, and says what was expected.</exception>
    /// <exception cref="IOException">It can't be read.</exception>
    public static SampleSet Read(string path, SampleFields fields, CancellationToken cancellation)
    {
        if (!Path.Exists(path)) throw new InvalidDataException($"{path} does not exist.");
        try
        {
            var samples = Directory.Exists(path) ? PictureFolders.Read(path, fields, cancellation) : ReadFile(path, fields, cancellation);
            samples.CheckLabels();
            return samples;
        }
        catch (InvalidDataException fault)
        {
            throw new InvalidDataException($"{path}: {fault.Message}", fault);
        }
        catch (DecoderFallbackException fault)
        {
            throw new InvalidDataException($"{path}: {TextFile.Refusal(path)}", fault);
        }
    }

    private static SampleSet ReadFile(string path, SampleFields fields, CancellationToken cancellation)
    {
        using var reader = TextFile.Open(path);
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        return IsJson(path) ? new JsonSamples(fields, folder).Read(reader, cancellation)
            : new TableSamples(fields, folder).Read(reader, cancellation);
    }

    /// <summary>Whether it begins with an object.</summary>
    private static bool IsJson(string path)
    {
        using StreamReader reader = new(path);
        while (reader.Peek() is var next and >= 0 && char.IsWhiteSpace((char)next)) _ = reader.Read();
        return reader.Peek() == '{';
    }

    /// <summary>A number that float32 can hold; null where the text is none.</summary>
    internal static float? Number(string text) =>
        float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && float.IsFinite(number) ? number : null;
}
