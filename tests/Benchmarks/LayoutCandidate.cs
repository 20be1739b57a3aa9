using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder;
using R1Serverless.ModelBuilder.Quantization;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>A way to write a variant's linear layers, to be compared with the others.</summary>
internal sealed record LayoutCandidate
{
    private LayoutCandidate(string name, Precision precision, QuantizedLayout? layout) => (Name, Precision, Layout) = (name, precision, layout);

    /// <summary>The floating-point variants first, then by bits.</summary>
    public static IReadOnlyList<LayoutCandidate> All { get; } =
    [
        new("fp32", Precision.Fp32, null),
        new("fp16", Precision.Fp16, null),
        new("8 bits, rows, s8 to ±63", Precision.Int8, new QuantizedLayout.Rows(63, Unsigned: false)),
        new("8 bits, rows, s8 to ±127", Precision.Int8, new QuantizedLayout.Rows(127, Unsigned: false)),
        new("8 bits, rows, u8 to ±127", Precision.Int8, new QuantizedLayout.Rows(127, Unsigned: true)),
        Blocks(8, 32, 4, symmetric: true),
        Blocks(8, 128, 4, symmetric: true),
        Blocks(4, 32, 1, symmetric: true),
        Blocks(4, 32, 4, symmetric: true),
        Blocks(4, 32, 4, symmetric: true, spareRow: true),
        Blocks(4, 32, 4, symmetric: false),
        Blocks(4, 64, 4, symmetric: true),
        Blocks(4, 128, 4, symmetric: true),
        Blocks(4, 128, 4, symmetric: false),
    ];

    /// <summary>In words, for a table.</summary>
    public string Name { get; }

    public Precision Precision { get; }

    /// <summary>Whether `r1 model build` writes the variant like this.</summary>
    public bool IsBuilt => Layout is null || Layout == QuantizedLayout.Of(Precision);

    private QuantizedLayout? Layout { get; }

    /// <summary>Builds a model folder with this one variant.</summary>
    /// <exception cref="InvalidModelException">The checkpoint is damaged or not supported, or the target is no model folder.</exception>
    public ModelFolder Build(string checkpoint, string target, string name, TimeProvider time, CancellationToken cancellation) =>
        CheckpointBuilder.Build(checkpoint, target, name, time, [Precision], Layout, progress: null, cancellation, KvFormat.Auto, preloaded: []);

    private static LayoutCandidate Blocks(int bits, int block, int level, bool symmetric, bool spareRow = false) => new(
        $"{bits} bits, blocks of {block}, level {level}{(symmetric ? "" : ", zero points")}{(spareRow ? ", spare row" : "")}",
        bits == 8 ? Precision.Int8 : Precision.Int4,
        new QuantizedLayout.Blocks(bits, block, level, symmetric, spareRow));
}
