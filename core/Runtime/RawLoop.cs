using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;
using R1Serverless.Batching;

namespace R1Serverless.Runtime;

/// <summary>
/// The limit that the engine is measured against: ONNX Runtime over the same graph in a bare loop, everything bound once, one fixed batch, no
/// scheduling, no sampling (each row is fed a constant), no text.
/// </summary>
public sealed class RawLoop : IDisposable
{
    private const int Token = 11;

    private readonly InferenceSession _session;
    private readonly GraphSignature _graph;

    /// <exception cref="ModelLoadException">The file is missing or no decoder graph.</exception>
    public RawLoop(string graphPath, RuntimeOptions options)
    {
        _session = OrtSession.Open(graphPath, options);
        _graph = GraphSignature.Read(_session);
    }

    /// <summary>Prefills <paramref name="rows"/> prompts in one run and decodes <paramref name="tokens"/> - 1 steps: the time for rows × tokens tokens.</summary>
    public TimeSpan Run(int rows, int promptLength, int tokens)
    {
        using var kv = new KvCache(_graph);
        kv.Resize(new KvShape(rows, LengthBuckets.For(promptLength + tokens, int.MaxValue)), []);
        using var ids = new NativeBuffer<long>();
        using var mask = new NativeBuffer<long>();
        using var logits = new NativeBuffer<float>();
        using var options = new RunOptions();
        var maskWidth = promptLength + tokens;
        ids.Require(rows * promptLength);
        mask.Require(rows * maskWidth);
        logits.Require(rows * (_graph.LastTokenOnly ? 1 : promptLength) * _graph.VocabularySize);
        ids.Span.Fill(Token);

        var began = Stopwatch.GetTimestamp();
        mask.Span[..(rows * promptLength)].Fill(1);
        var width = _graph.LastTokenOnly ? 1 : promptLength;
        using (var prefill = new StepBinding(_session, _graph, kv, 0, rows, ids.View(rows, promptLength), logits.View(rows, width, _graph.VocabularySize)))
        {
            prefill.BindMask(mask.View(rows, promptLength), promptLength);
            prefill.Run(_session, options);
        }

        mask.Span.Clear();
        for (var row = 0; row < rows; row++) mask.Span.Slice(row * maskWidth, promptLength).Fill(1);
        using var decode = new StepBinding(_session, _graph, kv, 0, rows, ids.View(rows, 1), logits.View(rows, 1, _graph.VocabularySize));
        decode.BindMask(mask.View(rows, maskWidth), maskWidth);
        for (var step = 0; step < tokens - 1; step++)
        {
            for (var row = 0; row < rows; row++) mask.Span[(row * maskWidth) + promptLength + step] = 1;
            decode.Run(_session, options);
        }

        return Stopwatch.GetElapsedTime(began);
    }

    public void Dispose() => _session.Dispose();
}
