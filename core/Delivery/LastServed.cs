using System.Text.Json;
using R1Serverless.Models;

namespace R1Serverless.Delivery;

/// <summary>Which version of each model of a repository was served last on this machine: a file per model, for starts while the repository is away.</summary>
/// <param name="folder">Of that repository; made when it is first needed.</param>
public sealed class LastServed(string folder)
{
    private const int KeyDigits = 64;

    private const string Extension = ".json";

    /// <summary>The models of which something is known, in order of their names.</summary>
    public IReadOnlyList<string> Models => Directory.Exists(folder)
        ? [.. Directory.EnumerateFiles(folder, $"*{Extension}").Select(Path.GetFileNameWithoutExtension).OfType<string>().Where(name => Find(name) is not null).Order(StringComparer.Ordinal)]
        : [];

    /// <summary>Null where nothing is known, or can't be read.</summary>
    public ServedNote? Find(string model)
    {
        if (!ModelRepository.IsName(model)) return null;
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(PathOf(model)), DeliveryJson.Default.ServedNote) is { } note
                && ModelRepository.IsName(note.Version) && note.Key.Length == KeyDigits && note.Key.All(char.IsAsciiHexDigitLower) ? note : null;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    /// <summary>Keeps it. Where the cache can't be written, as one that came with an image, what it says already stands.</summary>
    public void Keep(string model, ServedNote served)
    {
        if (Find(model) == served) return;
        try
        {
            Directory.CreateDirectory(folder);
            ReplacedFile.Write(PathOf(model), stream => JsonSerializer.Serialize(stream, served, DeliveryJson.Default.ServedNote));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // A start while the repository is away will say that it is.
        }
    }

    /// <summary>Loads of versions of this repository that ended with their process.</summary>
    public LoadAttempts Attempts(TimeProvider time) => new(folder, time);

    private string PathOf(string model) => Path.Combine(folder, model + Extension);
}

/// <param name="Key">By which the cache knows the version.</param>
public sealed record ServedNote(string Version, string Key);
