using Microsoft.ML.OnnxRuntime;
using R1Serverless.Engine.Devices;

namespace R1Serverless.Engine.Runtime;

/// <summary>
/// Which runs of a session the CUDA provider may record and replay: decode steps of one binding each, as a recording holds shapes and addresses for
/// good.
/// </summary>
internal sealed class GraphCapture
{
    /// <summary>ONNX Runtime's: its value numbers the recording, from 1.</summary>
    private const string RunKey = "gpu_graph_id";

    private const int Never = -1;

    private int _taken;

    /// <summary>For a run of any shape: neither recorded nor replayed.</summary>
    public static RunOptions NoneOptions() => Options(Never);

    /// <summary>For the runs of a new binding: recorded at the first and then replayed, or, when too many were, plain runs.</summary>
    public RunOptions NextOptions() => Options(_taken < CudaOptions.MaxCaptures ? ++_taken : Never);

    private static RunOptions Options(int id)
    {
        var options = new RunOptions();
        options.AddRunConfigEntry(RunKey, $"{id}");
        return options;
    }
}
