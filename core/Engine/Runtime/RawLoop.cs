using R1Serverless.Engine.Devices;
using R1Serverless.Models;

namespace R1Serverless.Engine.Runtime;

/// <summary>
/// The limit that the engine is measured against: ONNX Runtime over the same graph in a bare loop, everything bound once, one fixed batch, no
/// scheduling, no sampling (each row is fed a constant), no text. Memory, bindings and the first run of a shape are outside the measured time.
/// </summary>
public sealed class RawLoop : IDisposable
{
    private readonly OrtSession _session;
    private readonly GraphSignature _graph;
    private RawBatch? _batch;

    /// <exception cref="ModelLoadException">The file is missing or no decoder graph.</exception>
    public RawLoop(string graphPath, RuntimeOptions options, GraphNames? names = null)
    {
        _session = OrtSession.Open(graphPath, options);
        _graph = GraphSignature.Read(_session.Session, names ?? GraphNames.Default);
    }

    /// <summary>The execution provider: cpu or cuda.</summary>
    public string Device => _session.Provider.Name;

    /// <summary>Prefills <paramref name="rows"/> prompts in one run and decodes <paramref name="tokens"/> - 1 steps: the time for rows × tokens
    /// tokens.
    /// A shape other than the last call's is run once before, untimed.</summary>
    public TimeSpan Run(int rows, int promptLength, int tokens)
    {
        if (_batch is null || !_batch.Fits(rows, promptLength, tokens))
        {
            _batch?.Dispose();
            _batch = Prepare(rows, promptLength, tokens);
        }

        return _batch.Run().Total;
    }

    /// <summary>The memory of a shape, and one run that isn't timed. The caller disposes it before this loop.</summary>
    public RawBatch Prepare(int rows, int promptLength, int tokens)
    {
        var batch = new RawBatch(_session, _graph, rows, promptLength, tokens);
        batch.Run();
        return batch;
    }

    public void Dispose()
    {
        _batch?.Dispose();
        _session.Dispose();
    }
}
