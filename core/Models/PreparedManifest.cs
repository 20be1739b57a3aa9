using System.Text.Json;
using R1Serverless.Storage.Files;

namespace R1Serverless.Models;

/// <summary>What a prepared graph was made from and for: it is used where all of this is the same, and nowhere else.</summary>
public sealed record PreparedKey
{
    /// <summary>The way of preparing.</summary>
    public required int Form { get; init; }

    /// <summary>The version of ONNX Runtime.</summary>
    public required string Runtime { get; init; }

    /// <summary>The execution provider: cpu or cuda.</summary>
    public required string Device { get; init; }

    /// <summary>The processor's name and the instruction sets that choose how weights are packed.</summary>
    public required string Processor { get; init; }

    /// <summary>SHA-256 of the graph's file, in hexadecimal. Weights beside it are known by size and date: reading them takes as long as loading
    /// them.</summary>
    public required string Graph { get; init; }

    /// <summary>Bytes of the weights' file beside the graph, the first of several; 0 where there is none.</summary>
    public required long WeightBytes { get; init; }

    /// <summary>When that file was written, to the second; null where there is none.</summary>
    public required DateTimeOffset? WeightsWritten { get; init; }

    /// <summary>The other weights' files of a graph that has several, a line with name, bytes and date for each; null where there are none.</summary>
    public string? MoreWeights { get; init; }

    /// <summary>Where another key differs, in words; null where they are the same.</summary>
    public string? DifferenceFrom(PreparedKey made) => true switch
    {
        _ when made == this => null,
        _ when made.Form != Form => $"another version of r1 made it (form {made.Form}, here {Form})",
        _ when made.Runtime != Runtime => $"it is for ONNX Runtime {made.Runtime}, and this is {Runtime}",
        _ when made.Device != Device => $"it is for {made.Device}, and this is {Device}",
        _ when made.Processor != Processor => $"it is for another processor ({made.Processor}; this is {Processor})",
        _ => "the model has changed since",
    };
}

/// <summary>Zeros with one set byte, of which weights without a plain form are windows.</summary>
/// <param name="Bytes">Its length.</param>
/// <param name="Mark">Where the set byte is, which is 1.</param>
/// <param name="Windows">One for each such weight.</param>
public sealed record PreparedHole(long Bytes, long Mark, IReadOnlyList<HoleWindow> Windows)
{
    /// <summary>Whether everything lies inside, and the whole inside <paramref name="file"/> bytes.</summary>
    public bool FitsIn(long file) => Bytes <= file && IsInside(Mark) && Windows.All(window => IsInside(window.At));

    private bool IsInside(long at) => at >= 0 && at < Bytes;
}

/// <summary>A weight's part of the hole.</summary>
/// <param name="Name">The weight's.</param>
/// <param name="Type">ONNX's number for the type of its elements.</param>
/// <param name="Shape">Its dimensions.</param>
/// <param name="At">The window's first byte, from the hole's start.</param>
public sealed record HoleWindow(string Name, int Type, IReadOnlyList<long> Shape, long At);

/// <summary>What stands beside a prepared graph: the file <c>prepared.json</c>.</summary>
public sealed record PreparedManifest
{
    /// <summary>Of a model's folder.</summary>
    public const string FolderName = ".prepared";

    public const string FileName = "prepared.json", GraphFile = "graph.onnx", WeightsFile = "weights.bin";

    public required PreparedKey Key { get; init; }

    /// <summary>SHA-256 of the prepared graph's own file, in hexadecimal.</summary>
    public required string Graph { get; init; }

    /// <summary>Bytes of the prepared weights' file, holes included.</summary>
    public required long WeightBytes { get; init; }

    /// <summary>Bytes on the disk of both.</summary>
    public required long Bytes { get; init; }

    /// <summary>What stands for the plain forms of weights that have only a packed one; null where all have both.</summary>
    public PreparedHole? Hole { get; init; }

    /// <summary>Some of what the plain graph answered to known inputs: what the prepared one must answer when it is loaded.</summary>
    public required IReadOnlyList<float> GoldenAnswers { get; init; }

    /// <summary>Whether a prompt has the same bits when its beginning was computed for another: tried once, since it takes a large model long. Null
    /// where it was not tried.</summary>
    public bool? HasExactPrefixes { get; init; }

    /// <summary>The manifest at this path; null where there is none, or none that can be read.</summary>
    public static PreparedManifest? Find(string path)
    {
        try
        {
            using var stream = File.OpenRead(path);
            return JsonSerializer.Deserialize(stream, ManifestJson.Default.PreparedManifest);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or JsonException)
        {
            return null;
        }
    }

    public void Save(string path) =>
        AtomicFile.Replace(path, stream => JsonSerializer.Serialize(stream, this, ManifestJson.Default.PreparedManifest));
}
