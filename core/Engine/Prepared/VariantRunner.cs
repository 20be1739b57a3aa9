using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Runtime;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Engine.Prepared;

/// <summary>Opens a variant: what was prepared of it where that fits this machine, else its plain graph.</summary>
public static class VariantRunner
{
    /// <exception cref="ModelLoadException">The graph can't be loaded or served, or the device can't be had.</exception>
    public static OrtModelRunner Open(ModelFolder folder, ModelVariant variant, RuntimeOptions options)
    {
        // With more threads than heads, attention parts the long text of a lone sequence among them and adds the parts up, as it does not in company:
        // bits differ (measured).
        options = options with { Threads = Math.Min(options.EffectiveThreads, folder.Config.Heads) };
        string? refusal = null;
        if (options.UsePrepared && FindPrepared(folder, variant, options, out refusal) is { } prepared) return prepared;
        foreach (var weights in variant.DataFiles) Readahead.Begin(Path.Combine(folder.Path, weights));
        var session = OrtSession.Open(folder.GraphPath(variant), options);
        try
        {
            return new OrtModelRunner(session, GraphSignature.Read(session.Session, folder.Names)) { PreparedRefusal = refusal };
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }

    /// <summary>What was prepared, if it fits this machine and gives the answers that it must give.</summary>
    /// <param name="refusal">Why what was prepared is not used; null where it is, or where nothing was prepared.</param>
    public static OrtModelRunner? FindPrepared(ModelFolder folder, ModelVariant variant, RuntimeOptions options, out string? refusal)
    {
        var state = PreparedFolder.Detect(folder, variant, options);
        refusal = state.Refusal;
        if (state.Path is null) return null;
        var graph = Path.Combine(state.Path, PreparedManifest.GraphFile);
        Readahead.Begin(Path.Combine(state.Path, PreparedManifest.WeightsFile));
        OrtModelRunner? runner = null;
        try
        {
            runner = OpenPrepared(graph, state.Manifest!.Hole, folder, options);
            var began = Stopwatch.GetTimestamp();
            var isSame =
                GoldenLogitsCheck.IsSame(state.Manifest.GoldenLogits,
                    GoldenLogitsCheck.Sample(GoldenLogitsCheck.Run(runner, folder.Config.ContextLength)));
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
    public static OrtModelRunner OpenPrepared(string graph, PreparedHole? hole, ModelFolder folder, RuntimeOptions options)
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
