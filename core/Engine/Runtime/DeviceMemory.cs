using System.Diagnostics;
using R1Serverless.Engine.Devices;

namespace R1Serverless.Engine.Runtime;

/// <summary>The memory of the device that the options choose, for measurements: how fast it copies, and what becomes of others when it is
/// full.</summary>
public sealed class DeviceMemory : IDisposable
{
    private const long LargestPiece = 1L << 30, SmallestPiece = 1L << 20;
    private const int Passes = 10;

    private readonly OrtSession _session;
    private readonly DeviceKvMemory _memory;

    /// <param name="graphPath">Any graph that the device loads: its session has the memory's allocator.</param>
    /// <exception cref="ModelLoadException">The graph can't be loaded, or the device can't be had.</exception>
    public DeviceMemory(string graphPath, RuntimeOptions options) => (_session, _memory) = Open(graphPath, options);

    /// <summary>What <see cref="Fill"/> has taken.</summary>
    public long Bytes { get; private set; }

    /// <summary>Bytes per second, read and written together, of copies from one place to another: the best of several.</summary>
    public double MeasureCopies(long bytes)
    {
        var (from, to) = (_memory.Allocate(bytes), _memory.Allocate(bytes));
        var best = 0.0;
        for (var pass = 0; pass <= Passes; pass++)
        {
            var began = Stopwatch.GetTimestamp();
            _memory.Copy(new Pieces(from, bytes), new Pieces(to, bytes), bytes, 1);
            // The first pays for what is made at first use.
            if (pass > 0) best = Math.Max(best, 2 * bytes / Stopwatch.GetElapsedTime(began).TotalSeconds);
        }

        _memory.Free(from);
        _memory.Free(to);
        return best;
    }

    /// <summary>Takes memory, in smaller and smaller pieces, until there is no more or it has as much as was asked for; gives what the device said at
    /// the last.</summary>
    /// <exception cref="Microsoft.ML.OnnxRuntime.OnnxRuntimeException">The device refused in words that <see cref="OrtFault"/> does not take for a
    /// lack of memory.</exception>
    public string? Fill(long most = long.MaxValue)
    {
        string? refusal = null;
        for (var piece = LargestPiece; piece >= SmallestPiece; piece /= 2)
        {
            try
            {
                while (Bytes + piece <= most)
                {
                    _memory.Allocate(piece);
                    Bytes += piece;
                }
            }
            catch (DeviceMemoryException fault)
            {
                refusal = fault.Message;
            }
        }

        return refusal;
    }

    public void Dispose()
    {
        _memory.Dispose();
        _session.Dispose();
    }

    private static (OrtSession, DeviceKvMemory) Open(string graphPath, RuntimeOptions options)
    {
        var session = OrtSession.Open(graphPath, options);
        return (session, new DeviceKvMemory(session));
    }
}
