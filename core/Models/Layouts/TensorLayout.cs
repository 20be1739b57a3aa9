using System.Text.Json;

namespace R1Serverless.Models.Layouts;

/// <summary>Folders with graphs that are no decoders: model*.onnx, in the folder itself or in onnx/, or one file of any name.</summary>
internal static class TensorLayout
{
    private const string Extension = ".onnx", Pattern = "model*" + Extension, CausalSuffix = "ForCausalLM", Past = "past_key_values.";

    private static readonly string[] Places = ["", "onnx"];

    /// <summary>Whether there are graphs and nothing says that they are decoders of text, which are found by their own layouts.</summary>
    public static bool IsAt(string folder) => Graphs(folder) is [var first, ..] && !IsDecoder(folder, first);

    /// <exception cref="InvalidModelException">A graph is damaged, or none can be served.</exception>
    public static ModelManifest Describe(string folder) =>
        ExternalVariants.Describe(folder, Graphs(folder), TensorGraph.Refusal, FolderLayout.Tensors, "An ONNX graph over tensors is expected") with
        {
            Kind = ModelKind.Tensors,
        };

    /// <summary>By what the graph keeps from token to token, or else by what its model was trained for: a decoder without a cache is refused in
    /// words, since it would be served as something else.</summary>
    private static bool IsDecoder(string folder, string graph)
    {
        var config = Path.Combine(folder, ModelFiles.ConfigFile);
        if (File.Exists(config) && JsonFields.Load(config).Find("architectures") is { ValueKind: JsonValueKind.Array } names
            && names.EnumerateArray().Any(name => name.ToString().EndsWith(CausalSuffix, StringComparison.Ordinal))) return true;
        try
        {
            return OnnxFile.Read(Path.Combine(folder, graph)).Inputs.Any(input => input.Name.StartsWith(Past, StringComparison.Ordinal));
        }
        catch (InvalidModelException)
        {
            // It is read again, and its fault is told then.
            return CommunityLayout.IsAt(folder);
        }
    }

    /// <summary>Relative to the folder: the plain one first, then as <see cref="CommunityLayout"/> prefers them, then by name.</summary>
    private static List<string> Graphs(string folder)
    {
        foreach (var place in Places)
        {
            var path = Path.Combine(folder, place);
            if (!Directory.Exists(path)) continue;
            string[] named = [.. Directory.EnumerateFiles(path, Pattern).Select(Path.GetFileName).OfType<string>()];
            var all = named.Length > 0 ? named : [.. Directory.EnumerateFiles(path, "*" + Extension).Select(Path.GetFileName).OfType<string>()];
            if (named.Length > 0 || all.Length == 1)
                return [.. all.OrderBy(CommunityLayout.Rank).ThenBy(file => file, StringComparer.Ordinal).Select(file => Path.Combine(place, file))];
        }

        return [];
    }
}
