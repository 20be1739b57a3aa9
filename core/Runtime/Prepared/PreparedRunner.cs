using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;
using R1Serverless.Models;

namespace R1Serverless.Runtime;

/// <summary>Opens what was prepared of a variant, if it fits this machine and gives the answers that it must give.</summary>
internal static class PreparedRunner
{
    /// <param name="refusal">Why what was prepared is not used; null where it is, or where nothing was prepared.</param>
    public static OrtModelRunner? Find(ModelFolder folder, ModelVariant variant, RuntimeOptions options, out string? refusal)
    {
        var state = PreparedFolder.Look(folder, variant, options);
        refusal = state.Refusal;
        if (state.Path is null) return null;
        var graph = Path.Combine(state.Path, PreparedManifest.GraphFile);
        Readahead.Begin(Path.Combine(state.Path, PreparedManifest.WeightsFile));
        OrtModelRunner? runner = null;
        try
        {
            runner = Open(graph, state.Manifest!.Hole, folder, options);
            var began = Stopwatch.GetTimestamp();
            var isSame = Canary.IsSame(state.Manifest.Canary, Canary.Sample(Canary.Run(runner, folder.Config.ContextLength)));
            runner.ProofTime = Stopwatch.GetElapsedTime(began);
            if (isSame) return runner;
            refusal = "it does not give the answers that the plain model gave";
        }
        catch (Exception fault) when (fault is OnnxRuntimeException or ModelLoadException or IOException or UnauthorizedAccessException)
        {
            refusal = fault.Message;
        }

        runner?.Dispose();
        return null;
    }

    /// <summary>A graph that is optimised already.</summary>
    /// <param name="hole">What stands for the plain forms of its weights; null where they are in the file.</param>
    /// <exception cref="OnnxRuntimeException">It can't be loaded.</exception>
    /// <exception cref="ModelLoadException">It is no decoder graph.</exception>
    public static OrtModelRunner Open(string graph, PreparedHole? hole, ModelFolder folder, RuntimeOptions options)
    {
        var session = OrtSession.OpenPrepared(graph, hole, options, ExecutionProvider.Preferred(options));
        try
        {
            return new OrtModelRunner(session, GraphSignature.Read(session.Session, folder.Names)) { IsPrepared = true };
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }
}
