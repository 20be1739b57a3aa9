using Microsoft.ML.OnnxRuntime;
using R1Serverless.Engine.Devices;
using R1Serverless.Models;

namespace R1Serverless.Engine.Runtime;

/// <summary>An ONNX Runtime session of a variant, and where it runs.</summary>
public sealed class OrtSession : IDisposable
{
    /// <summary>Bytes below which a constant stays in the graph's file.</summary>
    private const int SmallConstant = 1024;

    private readonly PlaceholderWeights? _placeholders;

    private OrtSession(InferenceSession session, ExecutionProvider provider, RuntimeOptions options, PlaceholderWeights? placeholders = null) =>
        (Session, Provider, Options, _placeholders) = (session, provider, options, placeholders);

    /// <summary>Whether the graph was optimised and its weights packed before.</summary>
    public bool IsPrepared { get; private init; }

    public InferenceSession Session { get; }

    public ExecutionProvider Provider { get; }

    public RuntimeOptions Options { get; }

    /// <exception cref="ModelLoadException">The file is missing or no graph that this ONNX Runtime can load, or the device can't be had.</exception>
    public static OrtSession Open(string path, RuntimeOptions options)
    {
        if (!File.Exists(path)) throw new ModelLoadException($"there is no model file at '{path}'; `r1 model build` makes one");
        var candidates = ExecutionProvider.Candidates(options);
        string? notice = null;
        for (var i = 0; ; i++)
        {
            try
            {
                return Open(path, options, notice is null ? candidates[i] : candidates[i] with { Notice = notice });
            }
            catch (OnnxRuntimeException fault)
            {
                // "auto" goes on to the next device; the last one's fault is the one to tell.
                notice = $"{candidates[i].Description} can't be used, models run on the CPU: {fault.Message}";
                if (i == candidates.Count - 1)
                    throw new ModelLoadException($"ONNX Runtime can't load '{path}' on {candidates[i].Description}: {fault.Message}", fault);
            }
        }
    }

    /// <summary>A session of a device, whatever the options choose.</summary>
    public static OrtSession Open(string path, RuntimeOptions options, ExecutionProvider provider)
    {
        using var settings = Settings(options, provider);
        return new OrtSession(new InferenceSession(path, settings), provider, options);
    }

    /// <summary>A session of a graph that was optimised for this device and machine before.</summary>
    /// <param name="hole">What stands for the plain forms of its weights; null where they are in the file.</param>
    public static OrtSession OpenPrepared(string path, PreparedHole? hole, RuntimeOptions options, ExecutionProvider provider)
    {
        using var settings = Settings(options, provider);
        settings.GraphOptimizationLevel = GraphOptimizationLevel.ORT_DISABLE_ALL;
        // Each weight is packed and hashed all the same, to find its packed form in the file: by all threads. Of a plain graph the packed forms would
        // have to be kept as well, all at once.
        settings.AddSessionConfigEntry("session.prepack.enable_parallel", "1");
        var placeholders = hole is null ? null : new PlaceholderWeights(hole);
        try
        {
            placeholders?.AddTo(settings);
            return new OrtSession(new InferenceSession(path, settings), provider, options, placeholders) { IsPrepared = true };
        }
        catch
        {
            placeholders?.Dispose();
            throw;
        }
    }

    /// <summary>Writes a graph as it is after optimisation for this device and machine, with its weights, plain and packed, in one file beside
    /// it.</summary>
    /// <param name="path">The graph to read.</param>
    /// <param name="target">The graph to write, in a folder that exists.</param>
    /// <param name="weights">The weights' file, a name without a folder.</param>
    /// <param name="isOptimised">Whether the graph is optimised already, and is only packed.</param>
    /// <exception cref="ModelLoadException">The graph can't be loaded or written.</exception>
    public static void Save(string path, string target, string weights, bool isOptimised, RuntimeOptions options)
    {
        var provider = ExecutionProvider.Preferred(options);
        using var settings = Settings(options, provider);
        settings.OptimizedModelFilePath = target;
        if (isOptimised) settings.GraphOptimizationLevel = GraphOptimizationLevel.ORT_DISABLE_ALL;
        settings.AddSessionConfigEntry("session.optimized_model_external_initializers_file_name", weights);
        settings.AddSessionConfigEntry("session.optimized_model_external_initializers_min_size_in_bytes", $"{SmallConstant}");
        settings.AddSessionConfigEntry("session.save_external_prepacked_constant_initializers", "1");
        try
        {
            new InferenceSession(path, settings).Dispose();
        }
        catch (OnnxRuntimeException fault)
        {
            throw new ModelLoadException($"ONNX Runtime can't prepare '{path}' for {provider.Description}: {fault.Message}", fault);
        }
    }

    /// <summary>For runs that are never captured.</summary>
    public RunOptions CreateRunOptions() => Provider.CapturesSteps ? GraphCapture.NoneOptions() : new RunOptions();

    /// <summary>A second session beside this one, of a graph in memory. Its runs are never captured.</summary>
    public InferenceSession OpenBeside(byte[] graph)
    {
        using var settings = Settings(Options with { Cuda = Options.Cuda with { CaptureSteps = false } }, Provider);
        return new InferenceSession(graph, settings);
    }

    public void Dispose()
    {
        Session.Dispose();
        _placeholders?.Dispose();
    }

    private static SessionOptions Settings(RuntimeOptions options, ExecutionProvider provider)
    {
        var settings = new SessionOptions
        {
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
            IntraOpNumThreads = options.EffectiveThreads,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
        };
        if (options.ExactSums) settings.AddSessionConfigEntry("session.x64quantprecision", "1");
        // In this order: the prefix counts from when profiling is enabled.
        if (options.ProfilePrefix is { } prefix) (settings.ProfileOutputPathPrefix, settings.EnableProfiling) = (prefix, true);
        try
        {
            provider.AppendTo(settings, options);
            return settings;
        }
        catch
        {
            settings.Dispose();
            throw;
        }
    }
}
