using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Telemetry;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Sampling;
using R1Serverless.Scheduling;

namespace R1Serverless.Engine.Steps;

/// <summary>Carries out the scheduler's plans, one a turn: plan, run, then commit or roll back. Used by the engine's thread only.</summary>
/// <param name="sharesPrefixes">Whether prompts that begin alike are computed once.</param>
/// <param name="saved">What of them is on the disk; taken over, null for nothing.</param>
internal sealed class StepLoop(
    IModelRunner runner, SchedulerLimits limits, string model, TimeProvider time, Publisher publisher, Action ended, bool sharesPrefixes = false,
    SavedPrefixes? saved = null)
{
    private static readonly TimeSpan SavingAtStop = TimeSpan.FromSeconds(5);

    private readonly HashSet<Sequence> _live = [];
    private readonly Scheduler _scheduler = new(limits, sharesPrefixes);
    private readonly KvMemoryUse _memory = new(model, runner.KvBytesPerToken);
    private readonly SamplingScratch _scratch = new(runner.VocabularySize);
    private int[] _tokens = new int[16];
    private int[] _lengths = new int[16];
    private int _running;
    private bool _isFull;
    private long _steps;
    private long _generated;
    private long _runTicks;
    private long _commitTicks;

    /// <summary>Read by other threads: each number is current, the set is not a snapshot.</summary>
    public EngineLoad Load => new(
        Volatile.Read(ref _running), 0, Interlocked.Read(ref _steps), Interlocked.Read(ref _generated), Elapsed(ref _runTicks),
        Elapsed(ref _commitTicks))
    {
        IsFull = Volatile.Read(ref _isFull),
    };

    /// <summary>Who runs and who waits; read by the engine's thread, and by tests for invariants.</summary>
    public Scheduler Scheduler => _scheduler;

    private PrefixSteps Prefixes => field ??= Create();

    private PrefixRecalls Recalls => field ??= new PrefixRecalls(Prefixes);

    public void Enqueue(Sequence sequence)
    {
        _live.Add(sequence);
        if (!Recalls.TryBegin(sequence)) _scheduler.Enqueue(sequence);
    }

    public void Cancel(Sequence sequence)
    {
        if (_live.Contains(sequence)) End(sequence);
    }

    /// <summary>Does one thing; false when there is nothing to do.</summary>
    public bool Turn()
    {
        StepPlan plan = StepPlan.Idle.Instance;
        try
        {
            if (Recalls.Turn() is { } recalled) _scheduler.Enqueue(recalled);
            plan = _scheduler.Plan();
            if (plan is StepPlan.Idle)
            {
                CountRunning();
                publisher.Flush();
                return Recalls.Count > 0 || Prefixes.SaveOne();
            }

            CarryOut(plan);
        }
        catch (Exception fault)
        {
            // The one boundary: a bug ends this plan's sequences with an error, or all where there is none, not the engine's thread.
            Fail(plan, fault);
        }

        CountRunning();
        publisher.FlushWhenDue(_scheduler.Running.Count);
        return true;
    }

    /// <summary>Ends every sequence with that error and frees the model.</summary>
    public void Stop(InferenceError error)
    {
        foreach (var sequence in _live.ToArray()) End(sequence, error: error);
        publisher.Complete();
        var began = time.GetTimestamp();
        while (time.GetElapsedTime(began) < SavingAtStop && Prefixes.SaveOne())
        {
        }

        saved?.Dispose();
        _memory.End();
        runner.Dispose();
    }

    private PrefixSteps Create()
    {
        if (saved is not null) _scheduler.Prefixes.Leaving = saved.Save;
        return new PrefixSteps(runner, _scheduler.Prefixes, model, time, saved);
    }

    private void CarryOut(StepPlan plan)
    {
        var began = time.GetTimestamp();
        var outcome = Run(plan);
        var ran = time.GetTimestamp();
        if (outcome.Result == StepResult.OutOfMemory) RollBack(plan);
        else if (outcome.Result == StepResult.Failed) Fail(plan, outcome.Fault!);
        else Commit(plan, time.GetElapsedTime(began, ran));
        Interlocked.Add(ref _runTicks, ran - began);
        Interlocked.Add(ref _commitTicks, time.GetTimestamp() - ran);
    }

    private TimeSpan Elapsed(ref long ticks) => time.GetElapsedTime(0, Interlocked.Read(ref ticks));

    private StepOutcome Run(StepPlan plan)
    {
        if (plan is not (StepPlan.PrefillChunk or StepPlan.TrimPrefixes)) Prefixes.GiveBack(_scheduler.Prefilling);
        switch (plan)
        {
            case StepPlan.Resize resize:
                return runner.Resize(resize.Shape, KeptRows(resize.Shape));
            case StepPlan.Preempt preempt:
                var leaving = (Sequence)preempt.Sequence;
                leaving.Saved = runner.Save(leaving.Slot, leaving.CachedLength);
                return StepOutcome.Completed;
            case StepPlan.Restore restore:
                var toRestore = Prefixes.Attach(restore.Sequence, _scheduler.Running.Count, restore.Shared);
                return toRestore.Result == StepResult.Completed
                    ? runner.Restore(((Sequence)restore.Sequence).Saved!, _scheduler.Running.Count, restore.Shared) : toRestore;
            case StepPlan.Prefill prefill:
                return runner.Prefill(prefill.FirstSlot, [.. prefill.Sequences.Select(s => s.Prompt)]);
            case StepPlan.PrefillChunk chunk:
                return Prefixes.Prefill(chunk);
            case StepPlan.TrimPrefixes trim:
                Prefixes.Trim(trim.Blocks);
                return StepOutcome.Completed;
            case StepPlan.ReleaseSlots:
                runner.Release(_scheduler.Prefixes.ReleaseSlots());
                return StepOutcome.Completed;
            case StepPlan.Decode decode:
                var rows = decode.Sequences.Count;
                if (_tokens.Length < rows) (_tokens, _lengths) = (new int[rows * 2], new int[rows * 2]);
                for (var row = 0; row < rows; row++)
                {
                    _tokens[row] = ((Sequence)decode.Sequences[row]).LastToken;
                    _lengths[row] = decode.Sequences[row].CachedLength;
                }

                return runner.Decode(_tokens.AsSpan(0, rows), _lengths.AsSpan(0, rows));
            default:
                return StepOutcome.Completed;
        }
    }

    private void Commit(StepPlan plan, TimeSpan elapsed)
    {
        if (_scheduler.Commit(plan) is { } move) runner.Move(move);
        switch (plan)
        {
            case StepPlan.Preempt:
                Instruments.OnPreempted(model);
                break;
            case StepPlan.Restore restore:
                ((Sequence)restore.Sequence).Saved!.Dispose();
                ((Sequence)restore.Sequence).Saved = null;
                break;
            case StepPlan.Refuse refuse:
                End((Sequence)refuse.Sequence, error: DoesNotFit());
                break;
            case StepPlan.Prefill prefill:
                OnStep("prefill", prefill.Sequences.Count, elapsed);
                Instruments.OnPromptTokens(model, prefill.Sequences.Sum(sequence => sequence.PromptLength), isShared: false);
                foreach (var sequence in prefill.Sequences) Prefixes.Publish(sequence);
                for (var row = 0; row < prefill.Sequences.Count; row++) Take((Sequence)prefill.Sequences[row], row);
                break;
            case StepPlan.PrefillChunk chunk:
                OnStep("prefill", 1, elapsed);
                Prefixes.OnPrefilled(chunk.Count, elapsed);
                Instruments.OnPromptTokens(model, chunk.Count, isShared: false);
                if (chunk.Shared > 0) Instruments.OnPromptTokens(model, chunk.Shared, isShared: true);
                Prefixes.Publish(chunk.Sequence);
                if (chunk.Shared > 0) Prefixes.ShareCopies(chunk.Sequence, chunk.Shared);
                if (chunk.IsLast) Take((Sequence)chunk.Sequence, 0);
                break;
            case StepPlan.Decode decode:
                CommitDecode(decode.Sequences, elapsed);
                break;
        }
    }

    private void CommitDecode(IReadOnlyList<ScheduledSequence> running, TimeSpan elapsed)
    {
        var (rows, longest) = (running.Count, 0);
        for (var row = 0; row < rows; row++) longest = Math.Max(longest, running[row].CachedLength);
        _scheduler.Budget.Observe(rows, longest, elapsed);
        OnStep("decode", rows, elapsed);
        // From the last row down: one that ends is replaced by the last, which has had its turn.
        for (var row = rows - 1; row >= 0; row--) Take((Sequence)running[row], row);
    }

    /// <summary>Samples a sequence's next token from the row's logits and ends the sequence where that says so.</summary>
    private void Take(Sequence sequence, int row)
    {
        var token = sequence.Sampler.Sample(runner.Logits(row), _scratch);
        sequence.LastToken = token.Id;
        sequence.Generated++;
        Interlocked.Increment(ref _generated);
        Instruments.OnToken(model);
        FinishReason? end = sequence.EndTokens.AsSpan().Contains(token.Id) ? FinishReason.Stop
            : sequence.Generated >= sequence.MaxTokens ? FinishReason.Length
            : null;
        if (end is null) publisher.Add(sequence, new SequenceOutput(sequence.Choice, token));
        else End(sequence, token, end);
    }

    private void RollBack(StepPlan plan)
    {
        Instruments.OnOutOfMemory(model);
        // What was attached for them lies in no slot.
        if (plan is StepPlan.PrefillChunk { Shared: > 0, Sequence: var begun }) _scheduler.Prefixes.Leave(begun);
        if (plan is StepPlan.Restore { Sequence: var saved }) _scheduler.Prefixes.Leave(saved);
        if (_scheduler.Prefixes is { Blocks: var blocks } prefixes && blocks > prefixes.HeldBlocks)
        {
            // What is only kept gives way before those that run.
            Prefixes.Trim(blocks / 2);
            Prefixes.GiveBack(prefilling: null);
            return;
        }

        if (_scheduler.OnOutOfMemory(plan) is Sequence victim) End(victim, error: DoesNotFit());
    }

    private void Fail(StepPlan plan, Exception fault)
    {
        var affected = plan switch
        {
            StepPlan.Prefill prefill => prefill.Sequences,
            StepPlan.PrefillChunk chunk => [chunk.Sequence],
            StepPlan.Restore restore => [restore.Sequence],
            StepPlan.Preempt preempt => [preempt.Sequence],
            StepPlan.Refuse refuse => [refuse.Sequence],
            StepPlan.Decode decode => [.. decode.Sequences],
            _ => [.. _live],
        };
        var error = new InferenceError(InferenceErrorKind.Internal, $"The model run failed: {fault.Message}");
        foreach (var sequence in affected) End((Sequence)sequence, error: error);
    }

    private void End(Sequence sequence, SampledToken? token = null, FinishReason? reason = null, InferenceError? error = null)
    {
        if (!_live.Remove(sequence)) return;
        if (!Recalls.Remove(sequence) && _scheduler.Remove(sequence) is { } move) runner.Move(move);
        sequence.Saved?.Dispose();
        sequence.Saved = null;
        publisher.Add(sequence, new SequenceOutput(sequence.Choice, token, reason, error));
        ended();
    }

    private List<SlotMove> KeptRows(KvShape shape)
    {
        var rows = _scheduler.Running.Select(s => new SlotMove(s.Slot, s.Slot, s.CachedLength)).ToList();
        if (_scheduler.Prefilling is { } top) rows.Add(new SlotMove(top.Slot, shape.Slots - 1, top.CachedLength));
        return rows;
    }

    private void OnStep(string phase, int rows, TimeSpan elapsed)
    {
        Interlocked.Increment(ref _steps);
        Instruments.OnStep(model, phase, rows, elapsed);
    }

    private void CountRunning()
    {
        Volatile.Write(ref _running, _scheduler.Running.Count + (_scheduler.Prefilling is null ? 0 : 1));
        Volatile.Write(ref _isFull, _scheduler.IsFull);
        _memory.Observe(_scheduler);
    }

    private InferenceError DoesNotFit() => new(
        InferenceErrorKind.OutOfMemory,
        $"The sequence does not fit into the worker's memory for keys and values ({limits.KvTokens} tokens), even alone. Shorten it, or give the "
        + "worker more KV memory.");
}
