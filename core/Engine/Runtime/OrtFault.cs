using Microsoft.ML.OnnxRuntime;
using R1Serverless.Engine.Devices;

namespace R1Serverless.Engine.Runtime;

/// <summary>ONNX Runtime has no error code for running out of memory: the message tells it apart (measured on the CPU; cuBLAS's ALLOC_FAILED and
/// CUDA's own words are as their libraries write them).</summary>
internal static class OrtFault
{
    private static readonly string[] OutOfMemoryMessages = ["Failed to allocate memory for requested buffer", "Available memory of", "bad_alloc",
        "out of memory", "ALLOC_FAILED"];

    public static bool IsExpected(Exception fault) => fault is OnnxRuntimeException or OutOfMemoryException or DeviceMemoryException;

    public static StepOutcome ToOutcome(Exception fault) => IsOutOfMemory(fault) ? StepOutcome.OutOfMemory : StepOutcome.Failed(fault);

    /// <summary>ONNX Runtime's message without its error code, for a client.</summary>
    public static string Words(Exception fault) =>
        fault.Message.StartsWith("[ErrorCode:", StringComparison.Ordinal) && fault.Message.IndexOf("] ", StringComparison.Ordinal) is > 0 and var end
            ? fault.Message[(end + 2)..] : fault.Message;

    public static bool IsOutOfMemory(Exception fault) =>
        fault is OutOfMemoryException or DeviceMemoryException
            || Array.Exists(OutOfMemoryMessages, m => fault.Message.Contains(m, StringComparison.OrdinalIgnoreCase));
}
