using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;
using R1Serverless.Scheduling;

namespace R1Serverless.Engine.Runtime;

/// <summary>The memory and bindings of one shape of the bare loop, kept from run to run. Its <see cref="RawLoop"/> must outlive it.</summary>
public sealed class RawBatch : IDisposable
{
    private const int Token = 11;

    private readonly OrtSession _session;
    private readonly GraphSignature _graph;
    private readonly (int Rows, int Prompt, int Tokens) _shape;
    private readonly KvCache _kv;
    private readonly IntegerBuffer _ids, _prefillPositions, _decodePositions, _prefillMask, _decodeMask;
    private readonly LogitsBuffer _logits;
    private readonly StepBinding _prefill, _decode;
    private readonly RunOptions _options;

    internal RawBatch(OrtSession session, GraphSignature graph, int rows, int promptLength, int tokens)
    {
        (_session, _graph, _shape, _kv) = (session, graph, (rows, promptLength, tokens), new KvCache(graph, KvMemory.For(session)));
        _options = session.CreateRunOptions();
        _kv.Resize(new KvShape(rows, LengthBuckets.For(promptLength + tokens, int.MaxValue)), []);
        _ids = Filled(graph.InputIds, rows * promptLength, Token);
        _prefillMask = Filled(graph.AttentionMask, rows * promptLength, 1);
        _decodeMask = Filled(graph.AttentionMask, rows * MaskWidth, 0);
        var positions = graph.PositionIds ?? graph.InputIds;
        (_prefillPositions, _decodePositions) = (Filled(positions, rows * promptLength, 0), Filled(positions, rows, 0));
        for (var row = 0; row < rows; row++) _prefillPositions.Count(row * promptLength, promptLength, 0);

        var width = graph.LastTokenOnly ? 1 : promptLength;
        _logits = new LogitsBuffer(graph);
        _logits.Require((long)rows * width);
        _prefill = new StepBinding(session, graph, _kv, 0, rows, _logits.View(rows, width));
        _prefill.BindTokens(_ids.View(rows, promptLength), Positions(_prefillPositions, promptLength));
        _prefill.BindMask(_prefillMask.View(rows, promptLength), promptLength);
        _decode = new StepBinding(session, graph, _kv, 0, rows, _logits.View(rows, 1));
        _decode.BindTokens(_ids.View(rows, 1), Positions(_decodePositions, 1));
        _decode.BindMask(_decodeMask.View(rows, MaskWidth), MaskWidth);
    }

    private int MaskWidth => _shape.Prompt + _shape.Tokens;

    internal bool Fits(int rows, int promptLength, int tokens) => _shape == (rows, promptLength, tokens);

    /// <summary>One prefill and all steps.</summary>
    public RawTime Run()
    {
        var (rows, prompt, tokens) = _shape;
        _decodeMask.Fill(0, rows * MaskWidth, 0);
        for (var row = 0; row < rows; row++) _decodeMask.Fill(row * MaskWidth, prompt, 1);

        var began = Stopwatch.GetTimestamp();
        _prefill.Run(_session.Session, _options);
        var prefilled = Stopwatch.GetTimestamp();
        for (var step = 0; step < tokens - 1; step++)
        {
            for (var row = 0; row < rows; row++) _decodeMask.Fill((row * MaskWidth) + prompt + step, 1, 1);
            _decodePositions.Fill(0, rows, prompt + step);
            _decode.Run(_session.Session, _options);
        }

        return new RawTime(Stopwatch.GetElapsedTime(began, prefilled), Stopwatch.GetElapsedTime(prefilled), rows * (tokens - 1));
    }

    public void Dispose()
    {
        _prefill.Dispose();
        _decode.Dispose();
        _options.Dispose();
        _kv.Dispose();
        foreach (var buffer in (IntegerBuffer[])[_ids, _prefillPositions, _decodePositions, _prefillMask, _decodeMask]) buffer.Dispose();
        _logits.Dispose();
    }

    private static IntegerBuffer Filled(GraphInput input, int elements, int value)
    {
        var buffer = new IntegerBuffer(input.Type);
        buffer.Require(elements);
        buffer.Fill(0, elements, value);
        return buffer;
    }

    private OrtValue? Positions(IntegerBuffer buffer, int width) => _graph.PositionIds is null ? null : buffer.View(_shape.Rows, width);
}

/// <summary>What a run of the bare loop took, its memory and bindings left out.</summary>
/// <param name="Prefill">The prompts, up to and with the first token of each row.</param>
/// <param name="Decode">All steps after that.</param>
/// <param name="DecodedTokens">Tokens of these steps, all rows together.</param>
public readonly record struct RawTime(TimeSpan Prefill, TimeSpan Decode, int DecodedTokens)
{
    public TimeSpan Total => Prefill + Decode;
}
