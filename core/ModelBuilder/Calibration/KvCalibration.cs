using Microsoft.ML.OnnxRuntime;
using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelBuilder.Decoders;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.ModelBuilder.Quantization;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder.Calibration;

/// <summary>Finds the scales of 8-bit keys and values: builds one of the variants without them, lets it read and write for a while, and looks at what
/// it keeps.</summary>
/// <param name="checkpoint">What is built.</param>
/// <param name="precisions">The variants to be.</param>
/// <param name="layout">Another layout than the precision's own.</param>
internal sealed class KvCalibration(Checkpoint checkpoint, IEnumerable<Precision> precisions, QuantizedLayout? layout)
{
    private const int Steps = 96;

    private const string Folder = ".calibration", GraphFile = "model.onnx";

    // The most exact one; a processor would first have to widen float16's weights.
    private readonly OnnxGraph _graph = DecoderGraph.Build(
        checkpoint, new DecoderGraphOptions { Precision = precisions.OrderBy(p => p == Precision.Fp16).ThenBy(p => p).First(), Layout = layout });

    /// <summary>Not in the graphs before <see cref="Run"/> is done.</summary>
    public KvScales Scales { get; } = new(checkpoint.Config);

    /// <summary>What the graph takes on the disk meanwhile.</summary>
    public long Bytes => _graph.Bytes;

    /// <param name="folder">Where the graph may lie meanwhile.</param>
    /// <param name="progress">Told the bytes written.</param>
    /// <param name="cancellation">Stops it.</param>
    /// <exception cref="InvalidModelException">The model's numbers overflow, or it can't be run.</exception>
    public void Run(string folder, IProgress<long> progress, CancellationToken cancellation)
    {
        var path = Path.Combine(folder, Folder);
        Directory.CreateDirectory(path);
        try
        {
            OnnxWriter.Write(_graph, path, GraphFile, BuilderVersion.Current, progress, cancellation);
            var prompts = CalibrationText.Prompts(checkpoint.Folder, checkpoint.Config);
            using var run = new CalibrationRun(Path.Combine(path, GraphFile), checkpoint.Config, prompts, Steps);
            run.Generate(prompts, GenerationDefaults.Load(checkpoint.Folder).EndTokens, cancellation);
            for (var layer = 0; layer < checkpoint.Config.Layers; layer++)
            {
                var (keys, values) = run.Ranges(layer).End() ?? throw new InvalidModelException(
                    $"{checkpoint.Folder}: keys or values of layer {layer} are not finite, so they have no scale in 8 bits: build with --kv auto.");
                Scales.Set(layer, keys, values);
            }
        }
        catch (OnnxRuntimeException e)
        {
            throw new InvalidModelException(
                $"{checkpoint.Folder} can't be run to calibrate 8-bit keys and values ({e.Message}): build with --kv auto.", e);
        }
        finally
        {
            Directory.Delete(path, recursive: true);
        }
    }
}
