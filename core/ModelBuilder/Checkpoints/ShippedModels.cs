using R1Serverless.Abstractions;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder.Checkpoints;

/// <summary>The checkpoints that travel beside the executable, in <c>models/</c>.</summary>
public static class ShippedModels
{
    public const string Nano = "r1-nano";

    /// <summary>They are small: all variants are built at once.</summary>
    public static IReadOnlyList<Precision> Precisions { get; } = Enum.GetValues<Precision>();

    /// <summary>The checkpoint folder of a shipped model, or null where this installation has none of that name.</summary>
    public static string? Find(string name)
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "models", name);
        return ModelName.IsValid(name) && File.Exists(Path.Combine(folder, ModelFiles.ConfigFile)) ? folder : null;
    }
}
