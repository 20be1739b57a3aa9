using Microsoft.ML.OnnxRuntime;
using R1Serverless.Building;
using R1Serverless.Models;

namespace R1Serverless.Tests.Building;

/// <summary>A built graph with key and value buffers that serve as past and present at once, as the engine binds them.</summary>
internal sealed class GraphSession : IDisposable
{
    private readonly ModelConfig _config;
    private readonly InferenceSession _session;
    private readonly string _folder = Directory.CreateTempSubdirectory("r1-graph-").FullName;
    private readonly int _rows;
    private readonly List<(string Name, OrtValue Value)> _caches = [];

    public GraphSession(string checkpointFolder, bool allLogits, int rows = 1, int length = 128, long inlineLimit = OnnxWriter.InlineLimit)
    {
        using var checkpoint = Checkpoint.Open(checkpointFolder);
        (_config, _rows) = (checkpoint.Config, rows);
        var graph = DecoderGraph.Build(checkpoint, new DecoderGraphOptions { AllLogits = allLogits });
        DataFile = OnnxWriter.Write(graph, _folder, "model.onnx", "test", new Progress<long>(), CancellationToken.None, inlineLimit);
        using var options = new SessionOptions { IntraOpNumThreads = 1 };
        _session = new InferenceSession(Path.Combine(_folder, "model.onnx"), options);
        foreach (var name in _session.InputNames.Where(name => name.StartsWith("past_key_values.", StringComparison.Ordinal)))
        {
            // What stands in a slot before its sequence must not matter.
            var stale = Enumerable.Repeat(7f, rows * _config.KeyValueHeads * length * _config.HeadSize).ToArray();
            _caches.Add((name, OrtValue.CreateTensorValueFromMemory(stale, [rows, _config.KeyValueHeads, length, _config.HeadSize])));
        }
    }

    public string? DataFile { get; }

    public int Vocabulary => _config.VocabularySize;

    public IReadOnlyList<string> Inputs => _session.InputNames;

    public IReadOnlyList<string> Outputs => _session.OutputNames;

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
