using CsCheck;
using R1Serverless.Scheduling;

namespace R1Serverless.Tests.Scheduling;

/// <summary>The scheduler under random loads, with the engine's part played by the test: every sequence ends, and the invariants hold at each
/// turn.</summary>
public sealed class SchedulerModelTests
{
    [Fact]
    public void Every_sequence_ends_whatever_the_load()
    {
        var sequences = Gen.Select(Gen.OneOf(Gen.Int[1, 40], Gen.Int[1, 3000]), Gen.Int[1, 60], Gen.Int[0, 30]);
        Gen.Select(sequences.Array[1, 60], Gen.Int[1, 40], Gen.Int[0, int.MaxValue]).Sample((loads, memory, seed) =>
        {
            var play = new Play(new SchedulerLimits(4096, memory * 1024L, TimeSpan.FromSeconds(1)), seed, failures: 0);
            play.Run(loads.Select(l => (l.Item1, l.Item2, l.Item3)));
            Assert.Equal(loads.Length, play.Finished + play.Refused);
            Assert.True(play.Refused <= loads.Count(l => l.Item1 + l.Item2 > memory * 1024));
        });
    }

    [Fact]
    public void Running_out_of_memory_ends_nothing_that_fits_alone()
    {
        var sequences = Gen.Select(Gen.Int[1, 1500], Gen.Int[1, 40], Gen.Int[0, 30]);
        Gen.Select(sequences.Array[1, 40], Gen.Int[0, int.MaxValue]).Sample((loads, seed) =>
        {
            // A device that refuses any step of more than 3 rows, and any prefill while more than 2 run.
            var play = new Play(new SchedulerLimits(4096, 1 << 20, TimeSpan.FromSeconds(1)), seed, failures: 3);
            play.Run(loads.Select(l => (l.Item1, l.Item2, l.Item3)));
            Assert.Equal(loads.Length, play.Finished);
            Assert.Equal(0, play.Refused);
        });
    }

    private sealed class Row : ScheduledSequence
    {
        public int Left { get; set; }
    }

    private sealed class Play(SchedulerLimits limits, int seed, int failures)
    {
        private readonly Scheduler _scheduler = new(limits);
        private readonly Random _random = new(seed);

        public int Finished { get; private set; }

        public int Refused { get; private set; }

        public void Run(IEnumerable<(int Prompt, int Tokens, int ArrivesAfter)> loads)
        {
            var coming =
                new Queue<(Row Row, int At)>(
                    loads.Select((l, i) => (new Row { Number = i, PromptLength = l.Prompt, Left = l.Tokens }, l.ArrivesAfter)));
            for (var turn = 0; ; turn++)
            {
                Assert.True(turn < 200_000, "The scheduler makes no progress.");
                while (coming.TryPeek(out var next) && next.At <= turn) _scheduler.Enqueue(coming.Dequeue().Row);
                var plan = _scheduler.Plan();
                if (plan is StepPlan.Idle)
                {
                    if (coming.Count == 0) break;
                    continue;
                }

                Carry(plan);
                SchedulerInvariants.Check(_scheduler, limits);
            }

            Assert.Equal(0, _scheduler.WaitingCount + _scheduler.Running.Count);
        }

        private void Carry(StepPlan plan)
        {
            if (DoesNotFit(plan))
            {
                if (_scheduler.OnOutOfMemory(plan) is { } victim) Refuse(victim);
                return;
            }

            var sampled = plan switch
            {
                StepPlan.Prefill prefill => prefill.Sequences.ToArray(),
                StepPlan.PrefillChunk { IsLast: true } chunk => [chunk.Sequence],
                StepPlan.Decode decode => decode.Sequences.ToArray(),
                _ => [],
            };
            CheckShape(plan);
            _scheduler.Commit(plan);
            if (plan is StepPlan.Refuse) Refused++;
            foreach (var row in sampled.Cast<Row>())
            {
                if (--row.Left > 0 && _random.Next(100) > 0) continue;
                _scheduler.Remove(row);
                Finished++;
            }
        }

        private void Refuse(ScheduledSequence victim)
        {
            _scheduler.Remove(victim);
            Refused++;
        }

        private bool DoesNotFit(StepPlan plan) => failures > 0 && plan switch
        {
            StepPlan.Decode decode => decode.Sequences.Count > failures,
            StepPlan.Prefill prefill => prefill.Sequences.Count + _scheduler.Running.Count > failures,
            StepPlan.PrefillChunk => _scheduler.Running.Count >= failures,
            StepPlan.Resize resize => (long)resize.Shape.Slots * resize.Shape.Length > 8192,
            _ => false,
        };

        private void CheckShape(StepPlan plan)
        {
            switch (plan)
            {
                case StepPlan.Prefill prefill:
                    Assert.Equal(_scheduler.Running.Count, prefill.FirstSlot);
                    Assert.All(prefill.Sequences,
                        s => Assert.InRange(s.PromptLength, 1, Math.Min(PrefillRules.ChunkTokens, _scheduler.Shape.Length - 1)));
                    Assert.True(
                        prefill.Sequences.Count == 1
                        || prefill.Sequences.Count * prefill.Sequences.Max(s => s.PromptLength) <= PrefillRules.SharedTokens);
                    break;
                case StepPlan.PrefillChunk chunk:
                    Assert.Equal(0, chunk.Start % PrefillRules.ChunkTokens);
                    Assert.True(chunk.IsLast || chunk.Count == PrefillRules.ChunkTokens);
                    break;
                case StepPlan.Decode decode:
                    Assert.All(decode.Sequences, s => Assert.True(s.CachedLength < _scheduler.Shape.Length));
                    break;
            }
        }
    }
}
