using Microsoft.ML.OnnxRuntime;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Runtime;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Engine.Prepared;

/// <summary>Opens what was prepared of a variant.</summary>
public static class PreparedSession
{
    /// <summary>What was prepared, if it fits this machine and gives the answers that it must give; else null.</summary>
    /// <param name="wrap">Takes the session over, which it disposes where it fails.</param>
    /// <param name="answers">What the graph gives to known inputs.</param>
    /// <param name="refusal">Why what was prepared is not used; null where it is, or where nothing was prepared.</param>
    public static T? Find<T>(ModelFolder folder, ModelVariant variant, RuntimeOptions options, Func<OrtSession, PreparedManifest, T> wrap,
        Func<T, float[]> answers, out string? refusal)
        where T : class, IDisposable
    {
        var state = PreparedFolder.Detect(folder, variant, options);
        refusal = state.Refusal;
        if (state.Path is null) return null;
        Readahead.Begin(Path.Combine(state.Path, PreparedManifest.WeightsFile));
        T? opened = null;
        try
        {
            opened = wrap(Open(Path.Combine(state.Path, PreparedManifest.GraphFile), state.Manifest!.Hole, options), state.Manifest);
            if (GoldenAnswers.IsSame(state.Manifest.GoldenAnswers, GoldenAnswers.Sample(answers(opened)))) return opened;
            refusal = "it does not give the answers that the plain model gave";
        }
        catch (Exception fault) when (fault is OnnxRuntimeException or ModelLoadException or IOException or UnauthorizedAccessException)
        {
            refusal = fault.Message;
        }

        opened?.Dispose();
        return null;
    }

    /// <summary>A graph that is optimised already.</summary>
    /// <param name="hole">What stands for the plain forms of its weights; null where they are in the file.</param>
    /// <exception cref="OnnxRuntimeException">It can't be loaded.</exception>
    public static OrtSession Open(string graph, PreparedHole? hole, RuntimeOptions options) =>
        OrtSession.OpenPrepared(graph, hole, options, ExecutionProvider.Preferred(options));
}
