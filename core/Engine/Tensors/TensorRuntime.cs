using System.Runtime.Intrinsics.X86;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Engine.Tensors;

/// <summary>How graphs that are no decoders run.</summary>
public static class TensorRuntime
{
    /// <summary>The options for a variant. Variants built here keep all 8 bits of signed weights, which only processors with dot products add up
    /// exactly; on others ONNX Runtime is told to.</summary>
    public static RuntimeOptions Of(ModelFolder folder, ModelVariant variant, RuntimeOptions options) => options with
    {
        ExactSums = folder.Manifest.Layout == FolderLayout.Built && variant.Precision == Precision.Int8
            && X86Base.IsSupported && !Processors.Look().HasDotProduct,
    };
}
