using System.Security.Cryptography;
using System.Text;
using R1Serverless.Abstractions;
using R1Serverless.Storage.Files;

namespace R1Serverless.Models.Layouts;

/// <summary>From the graphs of a folder that another program made to a manifest in memory.</summary>
internal static class ExternalVariants
{
    /// <summary>One variant per precision, of the first graph that has it.</summary>
    /// <param name="folder">Absolute.</param>
    /// <param name="graphs">Relative to the folder, the preferred one first.</param>
    /// <param name="refuse">Why a graph can't be served; null where it can.</param>
    /// <param name="layout">How the folder is laid out.</param>
    /// <param name="advice">What to do where none can be, without a full stop.</param>
    /// <exception cref="InvalidModelException">None of the graphs can be served; the message says why, for each.</exception>
    public static ModelManifest Describe(string folder, IEnumerable<string> graphs, Func<OnnxFile, string?> refuse, FolderLayout layout,
        string advice)
    {
        var (variants, refusals) = (new SortedDictionary<Precision, ModelVariant>(), new List<string>());
        var created = DateTime.MinValue;
        foreach (var graph in graphs)
        {
            var path = Path.Combine(folder, graph);
            if (Refusal(path, refuse, out var file) is { } refusal)
            {
                refusals.Add($"{graph}: {refusal}");
                continue;
            }

            string[] data = [.. file!.DataFiles.Select(name => DataFile(folder, graph, name))];
            var bytes = data.Prepend(graph).Sum(name => ResolvedFile.At(Path.Combine(folder, name)).Length);
            variants.TryAdd(file.Precision,
                new ModelVariant(file.Precision, graph, data.FirstOrDefault(), bytes) { MoreDataFiles = [.. data.Skip(1)] });
            created = File.GetLastWriteTimeUtc(path) is var written && written > created ? written : created;
        }

        if (variants.Count == 0)
        {
            throw new InvalidModelException($"{folder} holds no graph that can be served: {string.Join("; ", refusals)}. {advice}.");
        }

        return new ModelManifest
        {
            Format = ModelManifest.CurrentFormat,
            Name = ModelName.Valid(folder),
            Created = new DateTimeOffset(created, TimeSpan.Zero),
            Fingerprint = Fingerprint(variants.Values, file => File.GetLastWriteTimeUtc(Path.Combine(folder, file))),
            Parameters = 0,
            Layout = layout,
            Variants = [.. variants.Values],
        };
    }

    /// <summary>Why a graph can't be served, or null; one that was only half downloaded must not keep its siblings from being served.</summary>
    private static string? Refusal(string path, Func<OnnxFile, string?> refuse, out OnnxFile? file)
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

        return refuse(file);
    }

    private static string DataFile(string folder, string graph, string name)
    {
        var beside = Path.Combine(Path.GetDirectoryName(graph) ?? "", name);
        var path = Path.GetFullPath(Path.Combine(folder, beside));
        if (!path.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            throw new InvalidModelException($"{Path.Combine(folder, graph)} keeps weights outside of its folder, in {name}.");
        return File.Exists(path) ? beside
            : throw new InvalidModelException($"{folder} lacks the file {beside}, which holds weights of {graph}: download it as well.");
    }

    /// <summary>Over names, sizes and dates: the files may be too large to read them for this.</summary>
    /// <param name="written">When a file was, in UTC.</param>
    public static string Fingerprint(IEnumerable<ModelVariant> variants, Func<string, DateTime> written)
    {
        var lines = variants.Select(v => $"{v.File} {v.Bytes} {written(v.File).Ticks} {(v.DataFile is null ? 0 : written(v.DataFile).Ticks)}\n");
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Concat(lines))));
    }
}
