using Microsoft.ML.OnnxRuntime;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Engine.Runtime;
using R1Serverless.Scheduling.Tensors;

namespace R1Serverless.Engine.Tensors;

/// <summary>Runs a graph that is no decoder. Owns the session, unless told otherwise. Any number of threads may run it at the same time.</summary>
internal sealed class TensorSession(OrtSession session, IReadOnlyList<string> outputs, bool ownsSession = true) : IDisposable
{
    /// <summary>What a graph refuses is told to its client: the log would say it once more for each request.</summary>
    private readonly RunOptions _options = new() { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };

    /// <summary>Of one request's outputs together: see <see cref="TensorRunLimits"/>.</summary>
    public long MaxOutputBytes { get; set; } = long.MaxValue;

    /// <inheritdoc cref="OrtSession.IsPrepared"/>
    public bool IsPrepared => session.IsPrepared;

    /// <summary>One run over requests of equal shapes, at least one.</summary>
    /// <param name="requests">Each with all of the graph's inputs.</param>
    /// <param name="rows">Of each request along the batch axis; null where there is none, and one request only.</param>
    /// <param name="minRows">A run of fewer repeats the last request: see <see cref="BatchProbe"/>.</param>
    /// <returns>Each request's outputs, in the graph's order.</returns>
    /// <exception cref="OnnxRuntimeException">The graph can't be run over these.</exception>
    /// <exception cref="OutputLimitException">A request's outputs are beyond <see cref="MaxOutputBytes"/>.</exception>
    public IReadOnlyList<Tensor>[] Run(IReadOnlyList<IReadOnlyList<Tensor>> requests, IReadOnlyList<int>? rows, int minRows = 1)
    {
        var repeats = rows is null || rows.Sum() is var all && (all >= minRows || rows[^1] == 0) ? 0 : (minRows - all + rows[^1] - 1) / rows[^1];
        string[] names = [.. requests[0].Select(input => input.Name)];
        List<OrtValue> values = new(names.Length);
        try
        {
            for (var i = 0; i < names.Length; i++) values.Add(TensorValues.Join([.. requests.Select(inputs => inputs[i])], repeats));
            using var results = session.Session.Run(_options, names, values, outputs);
            return Parts(results, requests.Count, rows);
        }
        finally
        {
            foreach (var value in values) value.Dispose();
        }
    }

    public void Dispose()
    {
        if (ownsSession) session.Dispose();
        _options.Dispose();
    }

    /// <summary>Before they are copied.</summary>
    private void Check(IReadOnlyList<OrtValue> results, int? rows)
    {
        var bytes = 0.0;
        foreach (var value in results)
        {
            var kind = value.GetTensorTypeAndShape();
            bytes += TensorValues.Bytes(value, kind) * (rows is { } own && kind.Shape[0] > 0 ? (double)own / kind.Shape[0] : 1);
        }

        if (bytes > MaxOutputBytes) throw new OutputLimitException(MaxOutputBytes);
    }

    private IReadOnlyList<Tensor>[] Parts(IReadOnlyList<OrtValue> results, int requests, IReadOnlyList<int>? rows)
    {
        var parts = new IReadOnlyList<Tensor>[requests];
        var first = 0;
        for (var request = 0; request < requests; request++)
        {
            var own = rows?[request];
            Check(results, own);
            parts[request] = [.. results.Select((value, i) => TensorValues.Part(outputs[i], value, first, own))];
            first += own ?? 0;
        }

        return parts;
    }
}
