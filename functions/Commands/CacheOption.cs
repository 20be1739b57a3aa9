using System.CommandLine;
using R1Serverless.Delivery;
using R1Serverless.Models;

namespace R1Serverless.Commands;

/// <summary><c>--model-cache</c>: how much of the disk fetched versions may take.</summary>
internal static class CacheOption
{
    private const long Least = 1L << 20;

    public static readonly Option<string?> Size = Create();

    public static long Read(ParseResult arguments) => arguments.GetValue(Size) is { } size ? MemorySize.Parse(size) ?? ModelCache.DefaultBudget : ModelCache.DefaultBudget;

    /// <param name="data">The data folder; null means the user's.</param>
    public static ModelCache Open(ParseResult arguments, string? data, TimeProvider time) => new(DataFolder.Cache(data), Read(arguments), time);

    private static Option<string?> Create()
    {
        Option<string?> option = new("--model-cache")
        {
            Description = "Disk that versions fetched from a repository may take together, such as 200GiB; the least recently used leave for others. [default: 64GiB, or what the disk has]", HelpName = "SIZE",
        };
        option.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var text }] && !(MemorySize.Parse(text) >= Least)) result.AddError($"--model-cache: '{text}' is not a size such as 200GiB, at least 1MB.");
        });
        return option;
    }
}
