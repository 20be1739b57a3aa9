using Microsoft.ML.OnnxRuntime;

namespace R1Serverless.Engine.Runtime;

/// <summary>ONNX Runtime's native library, which takes some hundredths of a second to load and to bind.</summary>
public static class OrtLibrary
{
    /// <summary>Loads it on another thread, beside what a start has to do before the first session. What fails here fails there again, with words. A
    /// process that ends before this does may crash.</summary>
    public static Task LoadAsync() => Task.Factory.StartNew(Load, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static void Load()
    {
        try
        {
            OrtEnv.Instance().GetVersionString();
        }
        catch (Exception fault) when (fault is TypeInitializationException or DllNotFoundException or OnnxRuntimeException)
        {
            // Told by whoever needs it.
        }
    }
}
