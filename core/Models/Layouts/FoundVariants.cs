using System.Security.Cryptography;
using System.Text;
using R1Serverless.Requests;

namespace R1Serverless.Models.Layouts;

/// <summary>From the graphs of a folder that another program made to a manifest in memory.</summary>
internal static class FoundVariants
{
    /// <summary>One variant per precision, of the first graph that has it.</summary>
    /// <param name="folder">Absolute.</param>
    /// <param name="graphs">Relative to the folder, the preferred one first.</param>
    /// <param name="names">What the graphs call their inputs and outputs.</param>
    /// <param name="layout">How the folder is laid out.</param>
    /// <exception cref="InvalidModelException">None of the graphs can be served; the message says why, for each.</exception>
    public static ModelManifest Describe(string folder, IEnumerable<string> graphs, GraphNames names, FolderLayout layout)
    {
        var (variants, refusals) = (new SortedDictionary<Precision, ModelVariant>(), new List<string>());
        var created = DateTime.MinValue;
        foreach (var graph in graphs)
        {
            var path = Path.Combine(folder, graph);
            if (Refusal(path, names, out var file) is { } refusal)
            {
                refusals.Add($"{graph}: {refusal}");
                continue;
            }

            string[] data = [.. file!.DataFiles.Select(name => DataFile(folder, graph, name))];
            var bytes = data.Prepend(graph).Sum(name => LinkedFile.At(Path.Combine(folder, name)).Length);
            variants.TryAdd(file.Precision, new ModelVariant(file.Precision, graph, data.FirstOrDefault(), bytes) { MoreDataFiles = [.. data.Skip(1)] });
            created = File.GetLastWriteTimeUtc(path) is var written && written > created ? written : created;
        }

        if (variants.Count == 0)
        {
            throw new InvalidModelException(
                $"{folder} holds no graph that can be served: {string.Join("; ", refusals)}. `r1 model build <checkpoint>` makes one from the model's safetensors.");
        }

        return new ModelManifest
        {
            Format = ModelManifest.CurrentFormat,
            Name = Name(folder),
            Created = new DateTimeOffset(created, TimeSpan.Zero),
            Fingerprint = Fingerprint(variants.Values, file => File.GetLastWriteTimeUtc(Path.Combine(folder, file))),
            Parameters = 0,
            Layout = layout,
            Variants = [.. variants.Values],
        };
    }

    /// <summary>Why a graph can't be served, or null; one that was only half downloaded must not keep its siblings from being served.</summary>
    private static string? Refusal(string path, GraphNames names, out OnnxFile? file)
    {
        file = null;
        try
        {
            file = OnnxFile.Read(path);
        }
        catch (InvalidModelException e)
        {
            return e.Message.TrimEnd('.');
        }

        return SharedCache.Refusal(file, names);
    }

    private static string DataFile(string folder, string graph, string name)
    {
        var beside = Path.Combine(Path.GetDirectoryName(graph) ?? "", name);
        var path = Path.GetFullPath(Path.Combine(folder, beside));
        if (!path.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            throw new InvalidModelException($"{Path.Combine(folder, graph)} keeps weights outside of its folder, in {name}.");
        return File.Exists(path) ? beside : throw new InvalidModelException($"{folder} lacks the file {beside}, which holds weights of {graph}: download it as well.");
    }

    /// <summary>The folder's name, with a dash for what no model's name may have.</summary>
    private static string Name(string folder)
    {
        var name = string.Concat(Path.GetFileName(folder).Select(c => ModelRepository.IsName($"x{c}") ? c : '-')).TrimStart('.');
        return name.Length == 0 ? "model" : name[..Math.Min(name.Length, 100)];
    }

    /// <summary>Over names, sizes and dates: the files may be too large to read them for this.</summary>
    /// <param name="written">When a file was, in UTC.</param>
    public static string Fingerprint(IEnumerable<ModelVariant> variants, Func<string, DateTime> written)
    {
        var lines = variants.Select(v => $"{v.File} {v.Bytes} {written(v.File).Ticks} {(v.DataFile is null ? 0 : written(v.DataFile).Ticks)}\n");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(lines))));
    }
}
