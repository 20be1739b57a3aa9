using R1Serverless.Requests;

namespace R1Serverless.Generation;

/// <summary>Whether variants that are to be in memory from the start have room there together.</summary>
internal static class PreloadFit
{
    /// <summary>Why they have not, with what can be done; null where they have. What is no variant, or too large by itself, is left to the loading to say. Under the host's lock, before anything is loaded.</summary>
    public static string? Refusal(HostedModels models, IEnumerable<(string Model, PrecisionWish Wish)> together, long budget)
    {
        List<HostedVariant> chosen = [];
        foreach (var (model, wish) in together)
        {
            if (models.Choose(model, wish, out var one, out _) is null && !chosen.Contains(one!)) chosen.Add(one!);
        }

        var needed = chosen.Sum(one => one.MemoryBytes);
        if (needed <= budget) return null;
        var each = string.Join(", ", chosen.Select(one => $"{one.Folder.Name} {PrecisionName.Of(one.Variant.Precision)} {Mebibytes(one.MemoryBytes)}"));
        return $"what is to be loaded at the start needs {Mebibytes(needed)} with its keys and values ({each}), and models may take {Mebibytes(budget)}: raise --memory, lower --kv-memory, or preload less (--load names what; else a manifest's marks count)";
    }

    private static string Mebibytes(long bytes) => $"{(bytes + (1 << 20) - 1) >> 20} MiB";
}
