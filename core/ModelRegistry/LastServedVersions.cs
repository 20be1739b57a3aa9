using System.Text.Json;
using R1Serverless.Models;
using R1Serverless.Storage.Files;

namespace R1Serverless.ModelRegistry;

/// <summary>Which version of each model of a repository was served last on this machine: a file per model, for starts that can't serve what is
/// active.</summary>
/// <param name="folder">Of that repository; made when it is first needed.</param>
public sealed class LastServedVersions(string folder)
{
    private const int KeyDigits = 64;

    private const string Extension = ".json";

    /// <summary>The models of which something is known, in order of their names.</summary>
    public IReadOnlyList<string> Models => Directory.Exists(folder)
        ? [.. Directory.EnumerateFiles(folder, $"*{Extension}").Select(Path.GetFileNameWithoutExtension).OfType<string>()
        .Where(name => Find(name) is not null).Order(StringComparer.Ordinal)]
        : [];

    /// <summary>Null where nothing is known, or can't be read.</summary>
    public ServedNote? Find(string model)
    {
        if (!ModelName.IsValid(model)) return null;
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(PathOf(model)), DeliveryJson.Default.ServedNote) is { } note
                && ModelName.IsValid(note.Version) && note.Key.Length == KeyDigits && note.Key.All(char.IsAsciiHexDigitLower) ? note : null;
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
            AtomicFile.Replace(PathOf(model), stream => JsonSerializer.Serialize(stream, served, DeliveryJson.Default.ServedNote));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // A start that would need it says what is wrong.
        }
    }

    private string PathOf(string model) => Path.Combine(folder, model + Extension);
}

/// <param name="Key">By which the cache knows the version.</param>
public sealed record ServedNote(string Version, string Key);
