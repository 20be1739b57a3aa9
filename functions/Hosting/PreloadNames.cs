using R1Serverless.Models;
using R1Serverless.Requests;
using R1Serverless.Runtime;

namespace R1Serverless.Hosting;

/// <summary>What is loaded at the start, of all that is served.</summary>
internal static class PreloadNames
{
    /// <summary>Models with what is wished of them, in the order to load.</summary>
    /// <param name="changing">Models whose versions change: that one lacks a precision to load is not the operator's mistake, see <see cref="Fit"/>.</param>
    /// <exception cref="ModelLoadException">A name or a precision is not among those served; the message says what is.</exception>
    public static IReadOnlyList<(string Model, PrecisionWish Wish)> Read(ServeOptions options, IReadOnlyList<ModelFolder> folders, IReadOnlyList<string>? changing = null)
    {
        if (options.Precision is { } usual && folders.FirstOrDefault(folder => !Has(folder, usual)) is { } lacking)
            throw new ModelLoadException($"--precision {PrecisionName.Of(usual)}: {lacking.Name} has only {Precisions(lacking)}.");
        return options.Load.Count == 0
            ? [(folders[0].Name, new PrecisionWish(options.Precision)), .. Marked(folders)]
            : [.. options.Load.Select(named => Read(named, options.Precision, folders, changing ?? []))];
    }

    /// <summary>What is to be loaded of a version of a model: what was wished, or what is usual where it lacks that.</summary>
    public static PrecisionWish Fit(PrecisionWish wish, Precision? usual, ModelFolder folder) => wish.Named is { } named && !Has(folder, named) ? new PrecisionWish(usual) : wish;

    /// <summary>The precisions that are loaded of a model beside what is usual.</summary>
    /// <param name="load">What the operator named of all models.</param>
    /// <param name="variants">Of the model.</param>
    public static IReadOnlyCollection<Precision> Precisions(IReadOnlyList<string> load, string model, IReadOnlyList<ModelVariant> variants) => load.Count == 0
        ? [.. variants.Where(variant => variant.Preload).Select(variant => variant.Precision)]
        : [.. load.Select(Split).Where(one => one.Model == model && one.Precision is not null).Select(one => PrecisionName.Find(one.Precision!)).OfType<Precision>()];

    /// <summary>Those whose manifests say so.</summary>
    private static IEnumerable<(string Model, PrecisionWish Wish)> Marked(IReadOnlyList<ModelFolder> folders) =>
        folders.SelectMany(folder => folder.Manifest.Variants.Where(variant => variant.Preload).Select(variant => (folder.Name, new PrecisionWish(variant.Precision))));

    private static (string Model, string? Precision) Split(string named) => named.LastIndexOf(':') is var colon && colon < 0 ? (named, null) : (named[..colon], named[(colon + 1)..]);

    private static (string Model, PrecisionWish Wish) Read(string named, Precision? usual, IReadOnlyList<ModelFolder> folders, IReadOnlyList<string> changing)
    {
        var (name, precision) = Split(named);
        var folder = folders.FirstOrDefault(one => one.Name == name)
            ?? throw new ModelLoadException($"--load {named}: the models served are {string.Join(", ", folders.Select(one => one.Name))}; add others with --model.");
        if (precision is null) return (name, new PrecisionWish(usual));
        if (precision == PrecisionName.Auto) return (name, new PrecisionWish());
        return PrecisionName.Find(precision) is { } found && (Has(folder, found) || changing.Contains(name))
            ? (name, new PrecisionWish(found))
            : throw new ModelLoadException($"--load {named}: {name} has {Precisions(folder)}.");
    }

    private static bool Has(ModelFolder folder, Precision precision) => folder.Manifest.Variants.Any(variant => variant.Precision == precision);

    private static string Precisions(ModelFolder folder) => string.Join(", ", folder.Manifest.Variants.Select(variant => PrecisionName.Of(variant.Precision)));
}
