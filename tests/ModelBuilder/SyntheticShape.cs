namespace R1Serverless.Tests.ModelBuilder;

/// <summary>The shape of a random model.</summary>
public sealed record SyntheticShape(
    int Hidden, int Layers, int Heads, int KeyValueHeads, int HeadSize, int Intermediate, int Vocabulary, int Context)
{
    /// <summary>51.5 million parameters: large enough that the arithmetic, not the calls, takes the time.</summary>
    public static SyntheticShape Bench { get; } = new(512, 8, 8, 2, 64, 2432, 32000, 4096);

    /// <summary>DeepSeek-R1-Distill-Qwen-1.5B's: 1.8 billion parameters, 3.6 GB in two shards of bfloat16.</summary>
    public static SyntheticShape DistillQwen15B { get; } =
        new(1536, 28, 12, 2, 128, 8960, 151936, 131072) { TiedEmbeddings = false, BFloat16 = true };

    public bool TiedEmbeddings { get; init; } = true;

    /// <summary>Weights as bfloat16 in shards of at most 2 GB, as large models are published, rather than as float32 in one file.</summary>
    public bool BFloat16 { get; init; }
}
