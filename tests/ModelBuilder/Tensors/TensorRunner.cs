using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Tensors;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.Tests.ModelBuilder.Tensors;

/// <summary>A graph that is run as servers run it, to be compared with another precision of it.</summary>
internal sealed class TensorRunner : IDisposable
{
    private readonly RunOptions _options = new();
    private readonly OrtSession _session;

    /// <param name="exactSums">As on processors without VNNI.</param>
    public TensorRunner(string path, bool exactSums = false)
    {
        _session = OrtSession.Open(path, new RuntimeOptions { Device = DeviceKind.Cpu, Threads = 2, ExactSums = exactSums });
    }

    /// <summary>The numbers of one output: the first, or the one named.</summary>
    public float[] Run(IReadOnlyList<Tensor> inputs, string? output = null)
    {
        var values = inputs.ToDictionary(input => input.Name, TensorValues.Of, StringComparer.Ordinal);
        try
        {
            using var results = _session.Session.Run(_options, values, [output ?? _session.Session.OutputNames[0]]);
            return results[0].GetTensorDataAsSpan<float>().ToArray();
        }
        finally
        {
            foreach (var value in values.Values) value.Dispose();
        }
    }

    /// <summary>Milliseconds of one run.</summary>
    public double Time(IReadOnlyList<Tensor> inputs)
    {
        var values = inputs.ToDictionary(input => input.Name, TensorValues.Of, StringComparer.Ordinal);
        try
        {
            var began = Stopwatch.GetTimestamp();
            using var results = _session.Session.Run(_options, values, _session.Session.OutputNames);
            return Stopwatch.GetElapsedTime(began).TotalMilliseconds;
        }
        finally
        {
            foreach (var value in values.Values) value.Dispose();
        }
    }

    public void Dispose()
    {
        _session.Dispose();
        _options.Dispose();
    }
}
