using R1Serverless.Engine.Devices;
using R1Serverless.Scheduling;

namespace R1Serverless.Engine.Runtime;

/// <summary>What warming took.</summary>
/// <param name="Runs">Of the model.</param>
/// <param name="IsSteady">Whether every shape had become as fast as it will be; else there were too many runs, or no time was left.</param>
public readonly record struct WarmupResult(int Runs, bool IsSteady);

/// <summary>
/// Dummy runs before a model is ready, over the shapes that requests bring, again and again until they take no less: then kernels, arenas, thread
/// pools and the JIT have seen them, and a mapped file's pages are there.
/// </summary>
internal static class VariantWarmup
{
    public const int MaxRuns = 100;

    /// <summary>Not begun where it would end later: more runs cost a large model more than they save its first request
    /// (docs/cold-start.md).</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(0.2);

    /// <param name="spent">What a short prompt and a decode step took together, which have warmed it too; zero where there were none.</param>
    /// <exception cref="ModelLoadException">A run failed.</exception>
    public static WarmupResult Run(IModelRunner runner, SchedulerLimits limits, TimeSpan spent, TimeProvider time)
    {
        var shapes = WarmupGrid.Of(limits);
        var steady = shapes.Select(_ => new SteadyStateDetector()).ToArray();
        var leftOut = new bool[shapes.Count];
        var began = time.GetTimestamp();
        var runs = 0;
        KvShape? slots = null;
        while (Enumerable.Range(0, shapes.Count).Any(i => !steady[i].IsSteady && !leftOut[i]))
        {
            for (var i = 0; i < shapes.Count; i++)
            {
                if (steady[i].IsSteady || leftOut[i]) continue;
                if (runs == MaxRuns) return new WarmupResult(runs, false);
                leftOut[i] = spent + time.GetElapsedTime(began) + Expected(shapes, steady, i, spent) > Longest;
                if (leftOut[i]) continue;
                var needed = new KvShape(shapes[i].Rows, LengthBuckets.For(Math.Max(1, shapes[i].Tokens), limits.MaxSlotLength));
                if (slots is not { } there || there.Slots < needed.Slots || there.Length != needed.Length)
                {
                    Require(runner.Resize(needed, []));
                    slots = needed;
                }

                var start = time.GetTimestamp();
                Require(Run(runner, shapes[i]));
                steady[i].Observe(time.GetElapsedTime(start));
                runs++;
            }
        }

        return new WarmupResult(runs, !leftOut.Contains(true));
    }

    /// <summary>As before; a shape that has not been run may cost as much more than the last that has as there are more tokens in it, and the first
    /// as much as an earlier run.</summary>
    private static TimeSpan Expected(IReadOnlyList<WarmupShape> shapes, SteadyStateDetector[] steady, int shape, TimeSpan spent)
    {
        for (var i = shape; i >= 0; i--)
        {
            if (steady[i].Best > TimeSpan.Zero) return steady[i].Best * ((double)shapes[shape].Work / shapes[i].Work);
        }

        return spent / 2;
    }

    private static StepOutcome Run(IModelRunner runner, WarmupShape shape)
    {
        if (shape.IsPrefill) return runner.Prefill(0, [.. Enumerable.Repeat((ReadOnlyMemory<int>)new int[shape.Tokens], shape.Rows)]);
        var cached = new int[shape.Rows];
        Array.Fill(cached, shape.Tokens);
        return runner.Decode(new int[shape.Rows], cached);
    }

    private static void Require(StepOutcome outcome)
    {
        if (outcome.Result != StepResult.Completed)
            throw new ModelLoadException($"a warm-up run failed: {outcome.Fault?.Message ?? "out of memory"}", outcome.Fault!);
    }
}
