using R1Serverless.Abstractions;
using R1Serverless.Models;

namespace R1Serverless.Engine.ModelHosting;

/// <summary>Whether variants that are to be in memory from the start have room there together.</summary>
internal static class PreloadFit
{
    /// <summary>Chooses of them, in their order, as many as have room; the first always. What is no variant is left to the loading to say. Under the
    /// host's lock, before anything is loaded.</summary>
    public static StartFit Choose(HostedModels models, IReadOnlyList<(string Model, PrecisionPreference Wish)> together, long budget)
    {
        List<HostedVariant> chosen = [];
        List<(string, PrecisionPreference)> fitting = [];
        List<string> left = [];
        var taken = 0L;
        foreach (var (model, preference) in together)
        {
            if (models.Choose(model, preference, noise: null, out var one, out _) is null && !chosen.Contains(one!))
            {
                chosen.Add(one!);
                if (taken > 0 && taken + one!.MemoryBytes > budget)
                {
                    left.Add(Name(model, one.Variant));
                    continue;
                }

                taken += one!.MemoryBytes;
            }

            fitting.Add((model, preference));
        }

        return new StartFit(fitting, left, Refusal([.. chosen.Select(one => (Name(one.Folder.Name, one.Variant), one.MemoryBytes))], budget));
    }

    /// <summary>Why a version would not be taken over while another serves: what is usual and what its manifest marks have no room together; null
    /// where they have, or where marks don't count.</summary>
    public static string? Refusal(string model, IReadOnlyList<ModelVariant> variants, PrecisionPreference usual, ModelHostOptions options,
        long kvMemory)
    {
        if (!options.LoadsMarked) return null;
        var (wanted, _) = VersionGate.Judge(model, variants, [], [], options.Device, usual, isForward: false);
        return Refusal([.. wanted.Select(one => (Name(model, one), HostedModels.MemoryOf(one, options.Device, kvMemory)))], options.MemoryBytes);
    }

    private static string? Refusal(IReadOnlyList<(string Name, long Bytes)> chosen, long budget)
    {
        var needed = chosen.Sum(one => one.Bytes);
        if (needed <= budget) return null;
        var each = string.Join(", ", chosen.Select(one => $"{one.Name} {Mebibytes(one.Bytes)}"));
        return $"what is to be loaded at the start needs {Mebibytes(needed)} with its keys and values ({each}), and models may take "
            + $"{Mebibytes(budget)}: raise --memory, lower --kv-memory, or preload less (--load names what; else a manifest's marks count)";
    }

    private static string Name(string model, ModelVariant variant) => $"{model} {PrecisionName.Of(variant.Precision)}";

    private static string Mebibytes(long bytes) => $"{(bytes + (1 << 20) - 1) >> 20} MiB";
}

/// <summary>What is loaded at a start of what was to be.</summary>
/// <param name="Fitting">As much as has room, in the order in which it was given.</param>
/// <param name="Left">The names of what has none.</param>
/// <param name="Refusal">The sizes and what can be done; null where all has room.</param>
public sealed record StartFit(IReadOnlyList<(string Model, PrecisionPreference Wish)> Fitting, IReadOnlyList<string> Left, string? Refusal);
