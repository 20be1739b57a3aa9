using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Calibration;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelBuilder.Decoders;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.ModelBuilder.Quantization;
using R1Serverless.Models;

namespace R1Serverless.Tests.ModelBuilder;

/// <summary>A built graph with key and value buffers that serve as past and present at once, as the engine binds them.</summary>
internal sealed class GraphSession : IDisposable
{
    private readonly ModelConfig _config;
    private readonly InferenceSession _session;
    private readonly string _folder = Directory.CreateTempSubdirectory("r1-graph-").FullName;
    private readonly int _length;
    private int _rows;
    private readonly List<(string Name, OrtValue Value)> _caches = [];

    public GraphSession(
        string checkpointFolder, bool allLogits, int rows = 1, int length = 128, long inlineLimit = OnnxWriter.InlineLimit,
        Precision precision = Precision.Fp32, QuantizedLayout? layout = null, KvFormat kv = KvFormat.Auto)
    {
        using var checkpoint = Checkpoint.Open(checkpointFolder);
        (_config, _length) = (checkpoint.Config, length);
        var calibration = kv == KvFormat.Int8 ? new KvCalibration(checkpoint, [precision], layout) : null;
        calibration?.Run(_folder, new Progress<long>(), CancellationToken.None);
        var graph = DecoderGraph.Build(checkpoint,
            new DecoderGraphOptions { AllLogits = allLogits, Precision = precision, Layout = layout, Kv = calibration?.Scales });
        DataFile = OnnxWriter.Write(graph, _folder, "model.onnx", "test", new Progress<long>(), CancellationToken.None, inlineLimit);
        using var options = new SessionOptions { IntraOpNumThreads = 2 };
        _session = new InferenceSession(Path.Combine(_folder, "model.onnx"), options);
        Restart(rows);
    }

    public string? DataFile { get; }

    public int Vocabulary => _config.VocabularySize;

    public IReadOnlyList<string> Inputs => _session.InputNames;

    public IReadOnlyList<string> Outputs => _session.OutputNames;

    /// <summary>New buffers for this many rows, with nothing of the old ones in them.</summary>
    public void Restart(int rows)
    {
        foreach (var (_, value) in _caches) value.Dispose();
        _caches.Clear();
        _rows = rows;
        foreach (var name in _session.InputNames.Where(name => name.StartsWith("past_key_values.", StringComparison.Ordinal)))
        {
            // What stands in a slot before its sequence must not matter.
            long[] shape = [rows, _config.KeyValueHeads, _length, _config.HeadSize];
            var type = _session.InputMetadata[name].ElementDataType;
            var cache = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, type, shape);
            if (type == TensorElementType.Int8) cache.GetTensorMutableDataAsSpan<sbyte>().Fill(7);
            else if (type == TensorElementType.Float16) cache.GetTensorMutableDataAsSpan<Float16>().Fill((Float16)7f);
            else cache.GetTensorMutableDataAsSpan<float>().Fill(7);
            _caches.Add((name, cache));
        }
    }

    /// <summary>One step. <paramref name="ids"/> is [rows, sequence]; <paramref name="totals"/> the length of each row, past and new.</summary>
    /// <returns>The logits, flat.</returns>
    public float[] Step(long[] ids, params int[] totals)
    {
        var longest = totals.Max();
        var mask = totals.SelectMany(total => Enumerable.Range(0, longest).Select(i => i < total ? 1L : 0L)).ToArray();
        using var binding = _session.CreateIoBinding();
        using var idValue = OrtValue.CreateTensorValueFromMemory(ids, [_rows, ids.Length / _rows]);
        using var maskValue = OrtValue.CreateTensorValueFromMemory(mask, [_rows, longest]);
        binding.BindInput("input_ids", idValue);
        binding.BindInput("attention_mask", maskValue);
        foreach (var (name, value) in _caches)
        {
            binding.BindInput(name, value);
            binding.BindOutput(name.Replace("past_key_values", "present", StringComparison.Ordinal), value);
        }

        binding.BindOutputToDevice("logits", OrtMemoryInfo.DefaultInstance);
        using var options = new RunOptions();
        _session.RunWithBinding(options, binding);
        using var outputs = binding.GetOutputValues();
        return outputs.Select(output => output.GetTensorTypeAndShape()).Any(info => info.Shape[^1] == Vocabulary && info.Shape.Length == 3)
            ? outputs.First(output => output.GetTensorTypeAndShape().Shape.Length == 3).GetTensorDataAsSpan<float>().ToArray()
            : throw new InvalidOperationException("The graph returned no logits.");
    }

    public void Dispose()
    {
        _session.Dispose();
        foreach (var (_, value) in _caches) value.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
