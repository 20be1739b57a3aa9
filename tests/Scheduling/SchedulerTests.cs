using R1Serverless.Scheduling;

namespace R1Serverless.Tests.Scheduling;

public sealed class SchedulerTests
{
    private readonly Scheduler _scheduler = new(new SchedulerLimits(4096, 1 << 20, TimeSpan.FromSeconds(1)));

    [Fact]
    public void Short_prompts_that_wait_share_one_prefill()
    {
        Enqueue(10, 20, 30);
        Assert.IsType<StepPlan.Resize>(Next());
        var prefill = Assert.IsType<StepPlan.Prefill>(Next());
        Assert.Equal([10, 20, 30], prefill.Sequences.Select(s => s.PromptLength));
        Assert.Equal(3, Assert.IsType<StepPlan.Decode>(Next()).Sequences.Count);
    }

    [Fact]
    public void A_long_prompt_goes_alone_in_chunks_with_decode_steps_between()
    {
        Enqueue(10);
        Next();
        Next();
        Enqueue(1200);
        var plans = Enumerable.Range(0, 8).Select(_ => Next()).ToArray();
        var chunks = plans.OfType<StepPlan.PrefillChunk>().Select(c => (c.Start, c.Count));
        Assert.Equal([(0, 512), (512, 512), (1024, 176)], chunks);
        for (var i = 1; i < plans.Length; i++) Assert.False(plans[i] is StepPlan.PrefillChunk && plans[i - 1] is StepPlan.PrefillChunk);
        Assert.Equal(2, _scheduler.Running.Count);
    }

    [Fact]
    public void Newcomers_join_between_decode_steps_and_do_not_stall_them()
    {
        Enqueue(10);
        Next();
        Next();
        Enqueue(10);
        Enqueue(10);
        Assert.IsType<StepPlan.Decode>(Next());
        Assert.Equal(2, Assert.IsType<StepPlan.Prefill>(Next()).Sequences.Count);
        Assert.IsType<StepPlan.Decode>(Next());
    }

    [Fact]
    public void A_crowd_joins_before_the_few_go_on()
    {
        Enqueue(10);
        Next();
        Next();
        Enqueue(10, 10, 10, 10);
        Assert.Equal(4, Assert.IsType<StepPlan.Prefill>(Next()).Sequences.Count);
        Assert.Equal(5, Assert.IsType<StepPlan.Decode>(Next()).Sequences.Count);
    }

    [Fact]
    public void The_last_row_moves_into_the_gap()
    {
        Enqueue(10, 20, 30);
        Next();
        Next();
        var move = _scheduler.Remove(_scheduler.Running[0]);
        Assert.Equal(new SlotMove(2, 0, 30), move);
        Assert.Equal([30, 20], _scheduler.Running.Select(s => s.PromptLength));
        Assert.Null(_scheduler.Remove(_scheduler.Running[1]));
    }

    [Fact]
    public void Out_of_memory_halves_the_batch_and_preempts_the_youngest()
    {
        Enqueue(10, 10, 10, 10);
        Next();
        Next();
        Assert.Null(_scheduler.OnOutOfMemory(_scheduler.Plan()));
        Assert.Equal(3, Assert.IsType<StepPlan.Preempt>(Next()).Sequence.Number);
        Assert.Equal(2, Assert.IsType<StepPlan.Preempt>(Next()).Sequence.Number);
        Assert.Equal(2, Assert.IsType<StepPlan.Decode>(Next()).Sequences.Count);
        _scheduler.Remove(_scheduler.Running[0]);
        Assert.Equal(2, Assert.IsType<StepPlan.Restore>(Next()).Sequence.Number);
    }

    [Fact]
    public void A_lone_sequence_that_does_not_fit_is_the_one_to_fail()
    {
        Enqueue(10);
        Next();
        Next();
        Assert.Same(_scheduler.Running[0], _scheduler.OnOutOfMemory(_scheduler.Plan()));
    }

    [Fact]
    public void Slots_grow_by_bucket_and_the_youngest_leaves_when_fewer_fit()
    {
        var small = new Scheduler(new SchedulerLimits(4096, 1024, TimeSpan.FromSeconds(1)));
        for (var i = 0; i < 4; i++) small.Enqueue(new Row { Number = i, PromptLength = 250 });
        var plans = new List<StepPlan>();
        for (var i = 0; i < 12; i++)
        {
            plans.Add(small.Plan());
            small.Commit(plans[^1]);
        }

        Assert.Equal(new KvShape(4, 256), Assert.IsType<StepPlan.Resize>(plans[0]).Shape);
        Assert.Equal([3, 2], plans.OfType<StepPlan.Preempt>().Select(p => p.Sequence.Number));
        Assert.Equal(new KvShape(2, 512), plans.OfType<StepPlan.Resize>().Last().Shape);
    }

    [Fact]
    public void The_budget_learns_from_slow_steps_and_recovers()
    {
        var budget = new TokenBudget(100_000, TimeSpan.FromMilliseconds(100));
        Assert.Equal(1000, budget.RowsAt(100));
        budget.Observe(1, 100, TimeSpan.FromMilliseconds(10));
        for (var i = 0; i < 100; i++) budget.Observe(100, 100, TimeSpan.FromMilliseconds(190));
        Assert.InRange(budget.RowsAt(100), 50, 55);
        for (var i = 0; i < 1000; i++) budget.Observe(budget.RowsAt(100), 100, TimeSpan.FromMilliseconds(50));
        Assert.Equal(1000, budget.RowsAt(100));
        budget.Halve(64, 100);
        Assert.Equal(32, budget.RowsAt(100));
        Assert.Equal(1, budget.RowsAt(int.MaxValue));
        Assert.Equal(1024, new TokenBudget(long.MaxValue, TimeSpan.FromSeconds(1)).RowsAt(1));
    }

    [Fact]
    public void A_model_whose_lone_row_is_slow_still_gets_its_batch()
    {
        var budget = new TokenBudget(100_000, TimeSpan.FromMilliseconds(100));
        budget.Observe(1, 100, TimeSpan.FromMilliseconds(300));
        for (var i = 0; i < 100; i++) budget.Observe(64, 100, TimeSpan.FromMilliseconds(400));
        Assert.Equal(1000, budget.RowsAt(100));
    }

    private void Enqueue(params int[] prompts)
    {
        foreach (var length in prompts)
            _scheduler.Enqueue(new Row { Number = _scheduler.WaitingCount + _scheduler.Running.Count, PromptLength = length });
    }

    private StepPlan Next()
    {
        var plan = _scheduler.Plan();
        _scheduler.Commit(plan);
        return plan;
    }

    private sealed class Row : ScheduledSequence;
}
