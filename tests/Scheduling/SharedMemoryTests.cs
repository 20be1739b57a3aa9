using R1Serverless.Scheduling;

namespace R1Serverless.Tests.Scheduling;

/// <summary>How many sequences run in the same memory when they share the beginnings of their prompts.</summary>
public sealed class SharedMemoryTests
{
    private const int Shared = 1024, Own = 30, Sequences = 16, Memory = 4096;

    [Theory]
    [InlineData(true, true, Sequences)]
    [InlineData(true, false, 3)]
    [InlineData(false, true, 2)]
    public void More_run_where_what_they_share_is_there_once(bool isMapped, bool isAlike, int expected)
    {
        SchedulerLimits limits = new(2048, Memory, TimeSpan.FromSeconds(1)) { TakesMemoryLazily = isMapped, MapsPrefixes = isMapped };
        Scheduler scheduler = new(limits, sharesPrefixes: true);
        for (var i = 0; i < Sequences; i++)
            scheduler.Enqueue(new Row { Number = i, PromptLength = Shared + Own, Prompt = Prompt(i, isAlike), PrefixSalt = "s" });
        var most = 0;
        for (var turn = 0; turn < 200; turn++)
        {
            CarryOut(scheduler, scheduler.Plan(), isMapped);
            SchedulerInvariants.Check(scheduler, limits);
            most = Math.Max(most, scheduler.Running.Count);
        }

        Assert.Equal(expected, most);
    }

    private static void CarryOut(Scheduler scheduler, StepPlan plan, bool isMapped)
    {
        var prefixes = scheduler.Prefixes;
        if (plan is StepPlan.PrefillChunk { Shared: > 0 } begun) prefixes.OnAttached(begun.Sequence, begun.Shared, isMapped ? begun.Shared : 0);
        if (plan is StepPlan.TrimPrefixes trim) prefixes.Trim(trim.Blocks);
        if (plan is StepPlan.ReleaseSlots) prefixes.ReleaseSlots();
        scheduler.Commit(plan);
        if (plan is not StepPlan.PrefillChunk chunk) return;
        prefixes.Publish(chunk.Sequence, out _);
        if (prefixes.Free < 0 && prefixes.OwnBlocks(chunk.Sequence) is > 0 and var own) prefixes.OnAttached(chunk.Sequence, own, own);
        if (chunk.Shared == 0) return;
        foreach (var (other, length) in prefixes.Copies(chunk.Sequence, chunk.Shared)) prefixes.OnAttached(other, length, length);
    }

    private static int[] Prompt(int number, bool isAlike) =>
        [.. Enumerable.Range(0, Shared + Own).Select(i => isAlike && i < Shared ? i : (number * 7) + i)];

    private sealed class Row : ScheduledSequence;
}
