using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Tensors;

namespace R1Serverless.ModelBuilder.Fitting;

/// <summary>Makes vectors of samples by a graph, which a head is then joined to: what is served makes the same vectors. Texts, pictures
/// and numbers are such sources; another kind of sample is another one.</summary>
internal interface IVectorSource
{
    /// <summary>What the vectors are, in words.</summary>
    string Description { get; }

    /// <summary>Whether the columns of the vectors have units of their own, so that each gets the same spread before a head is fitted.</summary>
    bool IsByColumn { get; }

    /// <summary>Whether NaN in a vector is a number that is missing, and stands for its column's mean.</summary>
    bool IsImputing { get; }

    /// <summary>The variants that the model gets; the first one's vectors are what the head is fitted to.</summary>
    IReadOnlyList<(Precision Precision, bool Preload)> Variants { get; }

    /// <summary>The graph of a variant: its only output is <see cref="HeadGraph.Vectors"/>, [batch, width].</summary>
    /// <param name="folder">Takes files for a while.</param>
    SourceGraph Graph(Precision precision, string folder);

    /// <summary>The vectors of all samples, one behind the other, by the first variant's graph.</summary>
    /// <param name="folder">Takes files for a while.</param>
    /// <param name="done">Told how many samples are done.</param>
    /// <exception cref="InvalidDataException">Names the line of a sample that no vector can be made of.</exception>
    Task<float[]> ReadAsync(string folder, IProgress<int> done, CancellationToken cancellation);

    /// <summary>Writes what stands beside the graphs.</summary>
    /// <param name="labels">By their number.</param>
    void WriteFiles(string folder, IReadOnlyList<string> labels);
}
