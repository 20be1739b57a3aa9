using R1Serverless.Models;
using R1Serverless.Requests;
using R1Serverless.Runtime;

namespace R1Serverless.Hosting;

/// <summary>What is loaded at the start, of all that is served.</summary>
internal static class PreloadNames
{
    /// <summary>Models with what is wished of them, in the order to load.</summary>
    /// <exception cref="ModelLoadException">A name or a precision is not among those served; the message says what is.</exception>
    public static IReadOnlyList<(string Model, PrecisionWish Wish)> Read(ServeOptions options, IReadOnlyList<ModelFolder> folders)
    {
        if (options.Precision is { } usual && folders.FirstOrDefault(folder => !Has(folder, usual)) is { } lacking)
            throw new ModelLoadException($"--precision {PrecisionName.Of(usual)}: {lacking.Name} has only {Precisions(lacking)}.");
        return options.Load.Count == 0
            ? [(folders[0].Name, new PrecisionWish(options.Precision)), .. Marked(folders)]
            : [.. options.Load.Select(named => Read(named, options.Precision, folders))];
    }

    /// <summary>Those whose manifests say so.</summary>
    private static IEnumerable<(string Model, PrecisionWish Wish)> Marked(IReadOnlyList<ModelFolder> folders) =>
        folders.SelectMany(folder => folder.Manifest.Variants.Where(variant => variant.Preload).Select(variant => (folder.Name, new PrecisionWish(variant.Precision))));

    private static (string Model, PrecisionWish Wish) Read(string named, Precision? usual, IReadOnlyList<ModelFolder> folders)
    {
        var colon = named.LastIndexOf(':');
        var (name, precision) = colon < 0 ? (named, null) : (named[..colon], named[(colon + 1)..]);
        var folder = folders.FirstOrDefault(one => one.Name == name)
            ?? throw new ModelLoadException($"--load {named}: the models served are {string.Join(", ", folders.Select(one => one.Name))}; add others with --model.");
        if (precision is null) return (name, new PrecisionWish(usual));
        if (precision == PrecisionName.Auto) return (name, new PrecisionWish());
        return PrecisionName.Find(precision) is { } found && Has(folder, found)
            ? (name, new PrecisionWish(found))
            : throw new ModelLoadException($"--load {named}: {name} has {Precisions(folder)}.");
    }

    private static bool Has(ModelFolder folder, Precision precision) => folder.Manifest.Variants.Any(variant => variant.Precision == precision);

    private static string Precisions(ModelFolder folder) => string.Join(", ", folder.Manifest.Variants.Select(variant => PrecisionName.Of(variant.Precision)));
}
