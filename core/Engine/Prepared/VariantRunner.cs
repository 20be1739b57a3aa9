using System.Diagnostics;
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
        return Own(OrtSession.Open(folder.GraphPath(variant), options), folder, refusal);
    }

    /// <inheritdoc cref="PreparedSession.Find"/>
    public static OrtModelRunner? FindPrepared(ModelFolder folder, ModelVariant variant, RuntimeOptions options, out string? refusal) =>
        PreparedSession.Find(folder, variant, options, (session, manifest) => Own(session, folder, null, manifest.HasExactPrefixes), runner =>
        {
            var began = Stopwatch.GetTimestamp();
            var answers = GoldenAnswers.Run(runner, folder.Config.ContextLength);
            runner.ProofTime = Stopwatch.GetElapsedTime(began);
            return answers;
        }, out refusal);

    /// <param name="session">Of the folder's graph; taken over.</param>
    /// <param name="refusal">Why it is not what was prepared; null where it is, or where nothing was prepared.</param>
    /// <param name="exactPrefixes">See <see cref="PreparedManifest.HasExactPrefixes"/>.</param>
    /// <exception cref="ModelLoadException">It is no decoder graph.</exception>
    public static OrtModelRunner Own(OrtSession session, ModelFolder folder, string? refusal = null, bool? exactPrefixes = null)
    {
        try
        {
            return new OrtModelRunner(session, GraphSignature.Read(session.Session, folder.Names))
            {
                PreparedRefusal = refusal, HasExactPrefixes = exactPrefixes,
            };
        }
        catch
        {
            session.Dispose();
            throw;
        }
    }
}
