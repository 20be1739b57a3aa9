using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder.Tensors;

/// <summary>What to make of an ONNX file.</summary>
public sealed record TensorBuildOptions
{
    /// <summary>FP32, FP16, INT8; none named, FP32.</summary>
    public IReadOnlyCollection<Precision> Precisions { get; init; } = [Precision.Fp32];

    /// <summary>Runs with all inputs each, like those that will come; some dozens are enough. Without them convolutions stay FP32 in the INT8
    /// variant.</summary>
    public IReadOnlyList<IReadOnlyList<Tensor>> Calibration { get; init; } = [];

    /// <summary>Paths of files that the folder gets beside those that <see cref="Models.Layouts.TensorCompanions"/> finds.</summary>
    public IReadOnlyList<string> Files { get; init; } = [];

    /// <summary>The variants that servers load at their start.</summary>
    public IReadOnlyCollection<Precision> Preloaded { get; init; } = [];
}

/// <summary>A model that was built, and what is to be said of it.</summary>
/// <param name="Notes">In words, for a person: what became INT8 and what did not, and why.</param>
public sealed record TensorBuild(ModelManifest Manifest, IReadOnlyList<string> Notes);
