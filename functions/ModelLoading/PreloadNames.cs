using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;

namespace R1Serverless.ModelLoading;

/// <summary>What is loaded at the start, of all that is served.</summary>
internal static class PreloadNames
{
    /// <summary>Models with what is wished of them, in the order to load.</summary>
    /// <param name="changing">Models whose versions change: that one lacks a precision to load is not the operator's mistake.</param>
    /// <exception cref="ModelLoadException">A name or a precision is not among those served; the message says what is.</exception>
    public static IReadOnlyList<(string Model, PrecisionPreference Wish)> Read(ServeOptions options, IReadOnlyList<ModelFolder> folders,
        IReadOnlyList<string>? changing = null)
    {
        if (options.Precision is { } usual && folders.FirstOrDefault(folder => !Has(folder, usual)) is { } lacking)
            throw new ModelLoadException($"--precision {PrecisionName.Of(usual)}: {lacking.Name} has only {Precisions(lacking)}.");
        return options.Load.Count == 0
            ? [(folders[0].Name, new PrecisionPreference(options.Precision)), .. Marked(folders)]
            : [.. options.Load.Select(named => Read(named, options.Precision, folders, changing ?? []))];
    }

    /// <summary>The precisions that are loaded of a model beside what is usual.</summary>
    /// <param name="load">What the operator named of all models.</param>
    /// <param name="variants">Of the model.</param>
    public static IReadOnlyCollection<Precision> Precisions(IReadOnlyList<string> load, string model, IReadOnlyList<ModelVariant> variants) =>
        load.Count == 0
        ? [.. variants.Where(variant => variant.Preload).Select(variant => variant.Precision)]
        : [.. load.Select(Split).Where(one => one.Model == model && one.Precision is not null).Select(one => PrecisionName.Find(one.Precision!))
        .OfType<Precision>()];

    /// <summary>Those whose manifests say so.</summary>
    private static IEnumerable<(string Model, PrecisionPreference Wish)> Marked(IReadOnlyList<ModelFolder> folders) =>
        folders.SelectMany(
            folder => folder.Manifest.Variants.Where(variant => variant.Preload)
            .Select(variant => (folder.Name, new PrecisionPreference(variant.Precision))));

    private static (string Model, string? Precision) Split(string named) =>
        named.LastIndexOf(':') is var colon && colon < 0 ? (named, null) : (named[..colon], named[(colon + 1)..]);

    private static (string Model, PrecisionPreference Wish) Read(string named, Precision? usual, IReadOnlyList<ModelFolder> folders,
        IReadOnlyList<string> changing)
    {
        var (name, precision) = Split(named);
        var folder = folders.FirstOrDefault(one => one.Name == name)
            ?? throw new ModelLoadException(
            $"--load {named}: the models served are {string.Join(", ", folders.Select(one => one.Name))}; add others with --model.");
        if (precision is null) return (name, new PrecisionPreference(usual));
        if (precision == PrecisionName.Auto) return (name, new PrecisionPreference());
        return PrecisionName.Find(precision) is { } found && (Has(folder, found) || changing.Contains(name))
            ? (name, new PrecisionPreference(found))
            : throw new ModelLoadException($"--load {named}: {name} has {Precisions(folder)}.");
    }

    private static bool Has(ModelFolder folder, Precision precision) => folder.Manifest.Variants.Any(variant => variant.Precision == precision);

    private static string Precisions(ModelFolder folder) =>
        string.Join(", ", folder.Manifest.Variants.Select(variant => PrecisionName.Of(variant.Precision)));
}
