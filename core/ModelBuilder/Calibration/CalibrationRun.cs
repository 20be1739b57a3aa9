using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using R1Serverless.ModelBuilder.Decoders;
using R1Serverless.Models;

namespace R1Serverless.ModelBuilder.Calibration;

/// <summary>A graph whose keys and values are not in 8 bits, run over texts that all go on side by side; what it keeps of them is then looked
/// at.</summary>
internal sealed class CalibrationRun : IDisposable
{
    private readonly InferenceSession _session;
    private readonly RunOptions _options = new();
    private readonly ModelConfig _config;
    private readonly int[] _lengths;
    private readonly int _capacity;
    private readonly List<(string Past, string Present, OrtValue Value)> _kept = [];

    /// <param name="graphPath">Of <see cref="DecoderGraph"/>, with the logits of last tokens.</param>
    /// <param name="config">The model's.</param>
    /// <param name="prompts">At least one, none of them empty.</param>
    /// <param name="steps">How many tokens may follow a prompt.</param>
    public CalibrationRun(string graphPath, ModelConfig config, IReadOnlyList<int[]> prompts, int steps)
    {
        (_config, _lengths) = (config, [.. prompts.Select(prompt => prompt.Length)]);
        _capacity = Math.Min(config.ContextLength, _lengths.Max() + steps);
        using var settings = new SessionOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR };
        // Weights stay where the file is mapped: packed or folded copies would double what a large model takes, for a minute's work.
        settings.AddSessionConfigEntry("session.disable_prepacking", "1");
        settings.GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_BASIC;
        _session = new InferenceSession(graphPath, settings);
        for (var layer = 0; layer < config.Layers; layer++)
        {
            foreach (var (past, present) in GraphNames.Default.Layer(layer))
            {
                var type = _session.InputMetadata[past].ElementDataType;
                _kept.Add((past, present,
                    OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, type,
                    [_lengths.Length, config.KeyValueHeads, _capacity, config.HeadSize])));
            }
        }
    }

    private int Rows => _lengths.Length;

    /// <summary>Reads the prompts, then draws token after token from what the model expects, until a row's text or context ends.</summary>
    public void Generate(IReadOnlyList<int[]> prompts, IReadOnlyCollection<int> endTokens, CancellationToken cancellation)
    {
        var random = new Random(1);
        var width = _lengths.Max();
        var ids = prompts.SelectMany(prompt => prompt.Select(id => (long)id).Concat(Enumerable.Repeat(0L, width - prompt.Length))).ToArray();
        var logits = Step(ids, _lengths);
        var running = Enumerable.Repeat(true, Rows).ToArray();
        while (_lengths.Max() < _capacity && running.Contains(true))
        {
            cancellation.ThrowIfCancellationRequested();
            var next = Enumerable.Range(0, Rows).Select(row => Draw(logits.AsSpan(row * _config.VocabularySize, _config.VocabularySize), random))
                .ToArray();
            for (var row = 0; row < Rows; row++) running[row] &= !endTokens.Contains(next[row]);
            // A row that has ended goes along, writing over one and the same place behind its text.
            logits = Step([.. next.Select(id => (long)id)], [.. _lengths.Select(length => Math.Min(length + 1, _capacity))]);
            for (var row = 0; row < Rows; row++) _lengths[row] += running[row] ? 1 : 0;
        }
    }

    /// <summary>The layer's keys and values of all tokens.</summary>
    public KvRanges Ranges(int layer)
    {
        var ranges = new KvRanges(_config.KeyValueHeads, _config.HeadSize, _config.RotarySize);
        float[] keys = Read(_kept[2 * layer].Value), values = Read(_kept[(2 * layer) + 1].Value);
        for (var row = 0; row < Rows; row++)
        {
            for (var head = 0; head < _config.KeyValueHeads; head++)
            {
                for (var token = 0; token < _lengths[row]; token++)
                {
                    var at = ((((row * _config.KeyValueHeads) + head) * _capacity) + token) * _config.HeadSize;
                    ranges.AddKey(head, keys.AsSpan(at, _config.HeadSize));
                    ranges.AddValue(head, values.AsSpan(at, _config.HeadSize));
                }
            }
        }

        return ranges;
    }

    public void Dispose()
    {
        foreach (var (_, _, value) in _kept) value.Dispose();
        _options.Dispose();
        _session.Dispose();
    }

    /// <summary>One run; ids are [rows, sequence], totals the rows' lengths with these.</summary>
    /// <returns>Logits [rows, vocabulary] of each row's last token.</returns>
    private float[] Step(long[] ids, int[] totals)
    {
        var longest = totals.Max();
        var mask = totals.SelectMany(total => Enumerable.Range(0, longest).Select(i => i < total ? 1L : 0L)).ToArray();
        var logits = new float[Rows * _config.VocabularySize];
        using var idTensor = OrtValue.CreateTensorValueFromMemory(ids, [Rows, ids.Length / Rows]);
        using var maskTensor = OrtValue.CreateTensorValueFromMemory(mask, [Rows, longest]);
        using var logitTensor = OrtValue.CreateTensorValueFromMemory(logits, [Rows, 1, _config.VocabularySize]);
        using var binding = _session.CreateIoBinding();
        binding.BindInput(GraphNames.Default.InputIds, idTensor);
        binding.BindInput(GraphNames.Default.AttentionMask, maskTensor);
        binding.BindOutput(GraphNames.Default.Logits, logitTensor);
        foreach (var (past, present, value) in _kept)
        {
            binding.BindInput(past, value);
            binding.BindOutput(present, value);
        }

        _session.RunWithBinding(_options, binding);
        return logits;
    }

    /// <summary>A token by its probability.</summary>
    private static int Draw(ReadOnlySpan<float> logits, Random random)
    {
        var most = float.NegativeInfinity;
        foreach (var logit in logits) most = Math.Max(most, logit);
        var sum = 0.0;
        foreach (var logit in logits) sum += Math.Exp(logit - most);
        var rest = random.NextDouble() * sum;
        for (var id = 0; id < logits.Length; id++)
        {
            rest -= Math.Exp(logits[id] - most);
            if (rest < 0) return id;
        }

        return logits.Length - 1;
    }

    private static float[] Read(OrtValue tensor) => tensor.GetTensorTypeAndShape().ElementDataType == TensorElementType.Float16
        ? [.. tensor.GetTensorDataAsSpan<Float16>().ToArray().Select(half => (float)half)]
        : tensor.GetTensorDataAsSpan<float>().ToArray();
}
