using System.Security.Cryptography;
using R1Serverless.Images;

namespace R1Serverless.ModelBuilder.Fitting.Samples;

/// <summary>Pictures as they are read: a file that comes twice, by its content, counts once, so that no head is judged by a picture that it was
/// fitted on.</summary>
/// <param name="folder">What their names are relative to.</param>
/// <param name="isOfFolders">Whether they are told by their names; else by lines.</param>
internal sealed class PictureCollection(string folder, bool isOfFolders)
{
    private readonly Dictionary<string, (string Place, string Label)> _known = new(StringComparer.Ordinal);
    private readonly List<int> _lines = [];
    private readonly List<string> _labels = [], _names = [], _notes = [];
    private int _repeated;

    /// <param name="name">Relative to the folder.</param>
    /// <exception cref="InvalidDataException">There is no such file, it is too large, or came before with another label.</exception>
    public void Add(int line, string name, string label)
    {
        var place = PictureSamples.PlaceOf(line, name, isOfFolders);
        if (string.IsNullOrWhiteSpace(name)) throw new InvalidDataException($"line {line}: the name of a picture is empty.");
        var path = Path.Combine(folder, name);
        if (!File.Exists(path)) throw new InvalidDataException($"{place}: there is no such file; names are relative to {folder}.");
        if (new FileInfo(path).Length is var bytes && bytes > ImageLimits.Default.MaxBytes)
            throw new InvalidDataException($"{place}: the image has {bytes} bytes; at most {ImageLimits.Default.MaxBytes} are taken.");
        string content;
        using (var stream = File.OpenRead(path)) content = Convert.ToHexString(SHA256.HashData(stream));
        if (_known.TryGetValue(content, out var before))
        {
            if (before.Label != label)
                throw new InvalidDataException(
                    $"{before.Place} and {place}: the same picture has the label '{before.Label}' and the label '{label}'. Keep the right one.");
            _repeated++;
            return;
        }

        _known.Add(content, (place, label));
        _lines.Add(line);
        _labels.Add(label);
        _names.Add(name);
    }

    /// <summary>What is to be told of the samples beside their faults.</summary>
    public void Note(string note) => _notes.Add(note);

    public PictureSamples ToSamples()
    {
        if (_repeated > 0)
            _notes.Add($"{_repeated} {(_repeated == 1 ? "picture that came" : "pictures that came")} before, with the same label, count once.");
        return new PictureSamples(_lines, _labels, folder, _names, isOfFolders, _notes);
    }
}
