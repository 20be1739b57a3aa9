using Microsoft.ML.OnnxRuntime;

namespace R1Serverless.Runtime;

/// <summary>ONNX Runtime has no error code for running out of memory: the message tells it apart (measured on 1.31.1, CPU and CUDA arenas).</summary>
internal static class OrtFault
{
    private static readonly string[] OutOfMemoryMessages = ["Failed to allocate memory for requested buffer", "Available memory of", "bad_alloc", "out of memory"];

    public static bool IsExpected(Exception fault) => fault is OnnxRuntimeException or OutOfMemoryException or DeviceMemoryException;

    public static StepOutcome ToOutcome(Exception fault) => IsOutOfMemory(fault) ? StepOutcome.OutOfMemory : StepOutcome.Failed(fault);

    public static bool IsOutOfMemory(Exception fault) =>
        fault is OutOfMemoryException or DeviceMemoryException || Array.Exists(OutOfMemoryMessages, m => fault.Message.Contains(m, StringComparison.OrdinalIgnoreCase));
}
