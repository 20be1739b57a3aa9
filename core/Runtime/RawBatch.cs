using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;
using R1Serverless.Batching;

namespace R1Serverless.Runtime;

/// <summary>The memory and bindings of one shape of the bare loop, kept from run to run. Its <see cref="RawLoop"/> must outlive it.</summary>
public sealed class RawBatch : IDisposable
{
    private const int Token = 11;

    private readonly InferenceSession _session;
    private readonly (int Rows, int Prompt, int Tokens) _shape;
    private readonly KvCache _kv;
    private readonly NativeBuffer<long> _ids = new(), _prefillMask = new(), _decodeMask = new();
    private readonly NativeBuffer<float> _logits = new();
    private readonly StepBinding _prefill, _decode;
    private readonly RunOptions _options = new();

    internal RawBatch(InferenceSession session, GraphSignature graph, int rows, int promptLength, int tokens)
    {
        (_session, _shape, _kv) = (session, (rows, promptLength, tokens), new KvCache(graph));
        _kv.Resize(new KvShape(rows, LengthBuckets.For(promptLength + tokens, int.MaxValue)), []);
        var width = graph.LastTokenOnly ? 1 : promptLength;
        _ids.Require(rows * promptLength);
        _prefillMask.Require(rows * promptLength);
        _decodeMask.Require(rows * MaskWidth);
        _logits.Require(rows * width * graph.VocabularySize);
        _ids.Span.Fill(Token);
        _prefillMask.Span.Fill(1);
        _prefill = new StepBinding(session, graph, _kv, 0, rows, _ids.View(rows, promptLength), _logits.View(rows, width, graph.VocabularySize));
        _prefill.BindMask(_prefillMask.View(rows, promptLength), promptLength);
        _decode = new StepBinding(session, graph, _kv, 0, rows, _ids.View(rows, 1), _logits.View(rows, 1, graph.VocabularySize));
        _decode.BindMask(_decodeMask.View(rows, MaskWidth), MaskWidth);
    }

    private int MaskWidth => _shape.Prompt + _shape.Tokens;

    internal bool Fits(int rows, int promptLength, int tokens) => _shape == (rows, promptLength, tokens);

    /// <summary>One prefill and all steps.</summary>
    public RawTime Run()
    {
        var (rows, prompt, tokens) = _shape;
        var mask = _decodeMask.Span;
        mask.Clear();
        for (var row = 0; row < rows; row++) mask.Slice(row * MaskWidth, prompt).Fill(1);

        var began = Stopwatch.GetTimestamp();
        _prefill.Run(_session, _options);
        var prefilled = Stopwatch.GetTimestamp();
        for (var step = 0; step < tokens - 1; step++)
        {
            for (var row = 0; row < rows; row++) mask[(row * MaskWidth) + prompt + step] = 1;
            _decode.Run(_session, _options);
        }

        return new RawTime(Stopwatch.GetElapsedTime(began, prefilled), Stopwatch.GetElapsedTime(prefilled), rows * (tokens - 1));
    }

    public void Dispose()
    {
        _prefill.Dispose();
        _decode.Dispose();
        _options.Dispose();
        _kv.Dispose();
        _ids.Dispose();
        _prefillMask.Dispose();
        _decodeMask.Dispose();
        _logits.Dispose();
    }
}

/// <summary>What a run of the bare loop took, its memory and bindings left out.</summary>
/// <param name="Prefill">The prompts, up to and with the first token of each row.</param>
/// <param name="Decode">All steps after that.</param>
/// <param name="DecodedTokens">Tokens of these steps, all rows together.</param>
public readonly record struct RawTime(TimeSpan Prefill, TimeSpan Decode, int DecodedTokens)
{
    public TimeSpan Total => Prefill + Decode;

    /// <summary>Decoded tokens per second, all rows together.</summary>
    public double DecodeRate => DecodedTokens / Decode.TotalSeconds;
}
