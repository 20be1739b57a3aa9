using R1Serverless.Abstractions.Tensors;
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

    /// <summary>Measures of each layout, which take turns: in one of them the machine may have been busy with something else.</summary>
    private const int Rounds = 3;

    /// <summary>A measure's time, and that of all: where runs are slow there are fewer rounds, one at least.</summary>
    private static readonly TimeSpan MeasuredFor = TimeSpan.FromSeconds(0.04), Enough = TimeSpan.FromSeconds(0.2);

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

    /// <summary>This layout, or one run by all threads where that is about as quick. Disposes the session of the other one. Takes about 0.25 s, and
    /// longer only where four runs do.</summary>
    public LaneLayout Measured(TensorGraph graph, TensorBatching batching, TimeProvider time)
    {
        if (Lanes == 1) return this;
        var inputs = MadeUpInputs.Make(graph.Inputs, Size, Rows, 1);
        if (!CanRun(inputs)) return this;
        var other = this with { Session = Reopen(Lanes), Lanes = 1 };
        List<double> many = [], one = [];
        var began = time.GetTimestamp();
        // The first run of a session takes memory, and is nobody's measure.
        if (other.CanRun(inputs))
        {
            for (var round = 0; round < Rounds && (round == 0 || time.GetElapsedTime(began) < Enough); round++)
            {
                many.Add(Rate(inputs, time));
                one.Add(other.Rate(inputs, time));
            }
        }

        var best = IsWorthIt(many, one) ? this : other;
        (best == this ? other : this).Session.Dispose();
        return best;
    }

    /// <summary>Whether runs at once are enough quicker, by the medians of what was measured; so it is where nothing was.</summary>
    /// <param name="many">Runs per second of all lanes.</param>
    /// <param name="one">Of one run at a time by all threads.</param>
    internal static bool IsWorthIt(IReadOnlyList<double> many, IReadOnlyList<double> one) =>
        many.Count == 0 || one.Count == 0 || Median(many) > Median(one) * WorthIt;

    private static double Median(IReadOnlyList<double> rates)
    {
        double[] ordered = [.. rates.Order()];
        return (ordered[(ordered.Length - 1) / 2] + ordered[ordered.Length / 2]) / 2;
    }

    /// <summary>Whether made-up inputs of this size can be run.</summary>
    private bool CanRun(IReadOnlyList<Tensor> inputs)
    {
        try
        {
            Session.Run([inputs], [Rows]);
            return true;
        }
        catch (Exception fault) when (OrtFault.IsExpected(fault))
        {
            return false;
        }
    }

    /// <summary>Runs per second of all lanes.</summary>
    private double Rate(IReadOnlyList<Tensor> inputs, TimeProvider time)
    {
        var runs = 0;
        var began = time.GetTimestamp();
        // Threads of its own, as the lanes of an engine are: the pool's may be busy with what else a starting process does.
        Thread[] lanes = [.. Enumerable.Range(1, Lanes - 1).Select(_ => new Thread(Run) { IsBackground = true })];
        foreach (var lane in lanes) lane.Start();
        Run();
        foreach (var lane in lanes) lane.Join();
        return runs / time.GetElapsedTime(began).TotalSeconds;

        void Run()
        {
            try
            {
                do
                {
                    Session.Run([inputs], [Rows]);
                    Interlocked.Increment(ref runs);
                }
                while (time.GetElapsedTime(began) < MeasuredFor);
            }
            catch (Exception fault) when (OrtFault.IsExpected(fault) || fault is ArgumentException or OverflowException)
            {
                // A lane that can't run, as where memory lacks for several at once, adds no runs.
            }
        }
    }
}
