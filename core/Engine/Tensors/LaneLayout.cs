using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Prepared;
using R1Serverless.Engine.Runtime;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Models.Layouts;

namespace R1Serverless.Engine.Tensors;

/// <summary>How the threads of this process run a graph: so many runs at once, each by so many threads.</summary>
/// <param name="Session">Of runs by that many threads.</param>
/// <param name="Lanes">Runs at once.</param>
/// <param name="Reopen">Opens a session of runs by so many threads.</param>
internal sealed record LaneLayout(TensorSession Session, ExecutionProvider Provider, int Lanes, Func<int, TensorSession> Reopen)
{
    /// <summary>Why what was prepared is not used, in words; null where it is, or where nothing was prepared.</summary>
    public string? PreparedRefusal { get; private init; }


    /// <summary>Of all threads, runs at once must be so much quicker that a lone request may take longer for it.</summary>
    private const double WorthIt = 1.05;

    private const int Rows = 4, Size = 16;

    private static readonly TimeSpan MeasuredFor = TimeSpan.FromSeconds(0.1);

    /// <summary>One run by one thread per lane; on a GPU one lane, since the device runs one after the other.</summary>
    /// <exception cref="ModelLoadException">The graph can't be loaded.</exception>
    public static LaneLayout Open(ModelFolder folder, ModelVariant variant, TensorGraph graph, RuntimeOptions options)
    {
        string[] outputs = [.. graph.Outputs.Select(output => output.Name)];
        string? refusal = null;
        var session = Open(1, null);
        // The session's own would name the threads of one run.
        var provider = session.Provider.HasOwnMemory ? session.Provider
            : session.Provider with { Description = ExecutionProvider.Cpu(options).Description };
        return new LaneLayout(
            new TensorSession(session, outputs), provider, session.Provider.HasOwnMemory ? 1 : options.EffectiveThreads,
            threads => new TensorSession(Open(threads, session.Provider), outputs))
        { PreparedRefusal = refusal };

        OrtSession Open(int threads, ExecutionProvider? provider)
        {
            var path = folder.GraphPath(variant);
            var runtime = options with { Threads = threads };
            var prepared = options.UsePrepared ? PreparedSession.Find(
                folder, variant, runtime, (session, _) => session, session => MadeUpAnswers.Of(session, graph), out refusal) : null;
            return prepared ?? (provider is null ? OrtSession.Open(path, runtime) : OrtSession.Open(path, runtime, provider));
        }
    }

    /// <summary>This layout, or one run by all threads where that is about as quick. Disposes the session of the other one.</summary>
    public LaneLayout Measured(TensorGraph graph, TensorBatching batching, TimeProvider time)
    {
        if (Lanes == 1) return this;
        var inputs = MadeUpInputs.Make(graph.Inputs, Size, Rows, 1);
        if (Rate(this, inputs, time) is not { } many) return this;
        var other = this with { Session = Reopen(Lanes), Lanes = 1 };
        var one = Rate(other, inputs, time);
        var best = many > one * WorthIt ? this : other;
        (best == this ? other : this).Session.Dispose();
        return best;
    }

    /// <summary>Runs per second of all lanes; null where made-up inputs of this size can't be run.</summary>
    private static double? Rate(LaneLayout layout, IReadOnlyList<Abstractions.Tensors.Tensor> inputs, TimeProvider time)
    {
        var runs = 0;
        try
        {
            layout.Session.Run([inputs], [Rows]);
            var began = time.GetTimestamp();
            Parallel.For(0, layout.Lanes, new ParallelOptions { MaxDegreeOfParallelism = layout.Lanes }, _ =>
            {
                do
                {
                    layout.Session.Run([inputs], [Rows]);
                    Interlocked.Increment(ref runs);
                }
                while (time.GetElapsedTime(began) < MeasuredFor);
            });
            return runs / time.GetElapsedTime(began).TotalSeconds;
        }
        catch (Exception fault) when (OrtFault.IsExpected(fault) || fault is AggregateException)
        {
            return null;
        }
    }
}
