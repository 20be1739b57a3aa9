using Microsoft.ML.OnnxRuntime;

namespace R1Serverless.Runtime;

/// <summary>Creates the ONNX Runtime session of a variant.</summary>
internal static class OrtSession
{
    /// <exception cref="ModelLoadException">The file is missing or no graph that this ONNX Runtime can load.</exception>
    public static InferenceSession Open(string path, RuntimeOptions options)
    {
        if (!File.Exists(path)) throw new ModelLoadException($"there is no model file at '{path}'; `r1 model build` makes one");
        using var session = new SessionOptions
        {
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            IntraOpNumThreads = options.EffectiveThreads,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
        };
        try
        {
            return new InferenceSession(path, session);
        }
        catch (OnnxRuntimeException fault)
        {
            throw new ModelLoadException($"ONNX Runtime can't load '{path}': {fault.Message}", fault);
        }
    }
}
