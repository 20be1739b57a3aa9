using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Tests.Queues.Gateway;

/// <summary>Requests that nobody waits for, in front of a queue that is first in, first out.</summary>
public sealed class AsyncTurnsTests
{
    private const int Flood = 500, Few = 5;

    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public void A_flood_of_one_owner_does_not_stand_before_another() => VirtualTime.Run(async world =>
    {
        DrainWorld drain = new(world);
        AsyncTurns turns = Turns(world, drain, out Func<Task> stop);
        await SubmitAsync(turns, "a", Flood);
        await SubmitAsync(turns, "b", Few);
        Assert.Equal(AsyncTurns.Places + Few, drain.Broker.Left);
        ScriptedEngine engine = drain.Engine(slots: 16);
        drain.Work(engine);
        await world.UntilAsync(() => Ended(drain, "b") == Few);
        Assert.InRange(Ended(drain, "a"), 0, Flood / 2);

        await world.UntilAsync(() => Ended(drain, "a") == Flood);
        Assert.Equal(Flood + Few, engine.Started.Count);
        // As they came, but for what a worker holds at once.
        int[] order = [.. engine.Started.Where(one => one.Owner == "a").Select(one => int.Parse(one.Id.Value[1..], CultureInfo.InvariantCulture))];
        Assert.All(order.Select((came, started) => Math.Abs(came - started)), places => Assert.InRange(places, 0, 48));
        // A mark of a process that keeps nothing would have others look for it.
        await world.UntilAsync(() => !drain.Broker.Store.Names.Any(name => name.StartsWith("parked", StringComparison.Ordinal)));
        await stop();
        await drain.EndAsync();
    });

    [Fact]
    public void What_a_process_had_parked_when_it_was_killed_is_moved_on_by_another() => VirtualTime.Run(async world =>
    {
        DrainWorld drain = new(world);
        // Its loop never runs: it is killed as soon as it has said yes to all.
        await SubmitAsync(new AsyncTurns(drain.Connect(), drain.Gate(), world.Clock, NullLogger.Instance), "a", Flood);
        Turns(world, drain, out Func<Task> stop);
        ScriptedEngine engine = drain.Engine(slots: 64);
        drain.Work(engine);
        await world.UntilAsync(() => Ended(drain, "a") == Flood);
        Assert.Equal(Flood, engine.Started.Count);
        await world.UntilAsync(() => !drain.Broker.Store.Names.Any(name => name.StartsWith("parked", StringComparison.Ordinal)));
        await stop();
        await drain.EndAsync();
    });

    [Fact]
    public void Two_that_take_each_other_for_dead_lose_nothing_and_give_no_second_result() => VirtualTime.Run(async world =>
    {
        DrainWorld drain = new(world);
        FakeTransport slow = drain.Connect();
        AsyncTurns paused = new(slow, drain.Gate(), world.Clock, NullLogger.Instance);
        await SubmitAsync(paused, "a", Flood);
        Turns(world, drain, out Func<Task> stop);
        await world.PassAsync(17);
        using CancellationTokenSource end = new();
        Task running = paused.RunAsync(end.Token);
        drain.Work(drain.Engine(slots: 16));
        await world.UntilAsync(() => Ended(drain, "a") == Flood);
        await world.UntilAsync(() => !drain.Broker.Store.Names.Any(name => name.StartsWith("parked", StringComparison.Ordinal)) && drain.Broker.Left == 0);
        Assert.Empty(drain.Broker.DeadLetters);
        end.Cancel();
        await running;
        await stop();
        await drain.EndAsync();
    });

    [Fact]
    public void What_is_parked_after_others_took_a_process_for_dead_is_found_too_when_it_is_killed() => VirtualTime.Run(async world =>
    {
        DrainWorld drain = new(world);
        // Its loop stands still, as that of a process which the system has stopped for a while.
        AsyncTurns paused = new(drain.Connect(), drain.Gate(), world.Clock, NullLogger.Instance);
        await SubmitAsync(paused, "a", Flood);
        Turns(world, drain, out Func<Task> stop);
        drain.Work(drain.Engine(slots: 64));
        await world.UntilAsync(() => !Parked(drain).Any() && Ended(drain, "a") == Flood);
        // It says yes to one more, and ends.
        await paused.SubmitAsync(Ask("a", Flood, 1, null), None);
        await world.PassAsync(60);
        Assert.Equal(Flood + 1, Ended(drain, "a"));
        await stop();
        await drain.EndAsync();
    });

    [Fact]
    public void One_that_took_over_leaves_the_mark_of_a_process_that_lives_after_all() => VirtualTime.Run(async world =>
    {
        DrainWorld drain = new(world);
        AsyncTurns paused = new(drain.Connect(), drain.Gate(), world.Clock, NullLogger.Instance);
        await SubmitAsync(paused, "a", Flood);
        Turns(world, drain, out Func<Task> stop);
        // Taken over, but not moved on: nobody works yet.
        await world.PassAsync(30);
        string mark = Parked(drain).Single(name => name.StartsWith("parked-by", StringComparison.Ordinal));
        await paused.SubmitAsync(Ask("a", Flood, 1, null), None);
        Assert.Equal(mark[(mark.IndexOf('/') + 1)..], System.Text.Encoding.UTF8.GetString((await drain.Broker.Store.GetAsync(mark, None))!.Content.Span));
        await world.PassAsync(8);
        Assert.Contains(mark, Parked(drain));
        drain.Work(drain.Engine(slots: 64));
        await world.UntilAsync(() => Ended(drain, "a") == Flood + 1);
        await world.UntilAsync(() => !Parked(drain).Any());
        await stop();
        await drain.EndAsync();
    });

    [Fact]
    public void Nobody_is_taken_for_dead_while_it_moves_on_much_over_a_slow_store() => VirtualTime.Run(async world =>
    {
        DrainWorld drain = new(world);
        AsyncTurns busy = Turns(world, drain, out Func<Task> stop), other = Turns(world, drain, out Func<Task> stopOther);
        string[] owners = [.. Enumerable.Range(0, 12).Select(i => $"{(char)('a' + i)}")];
        foreach (string owner in owners) await SubmitAsync(busy, owner, 2 * AsyncTurns.Places);
        // So that the other one looks at what it has parked itself, too.
        await SubmitAsync(other, "z", Few);
        drain.Broker.Store.ReadTime = TimeSpan.FromMilliseconds(100);
        drain.Work(drain.Engine(slots: 512));
        await world.UntilAsync(() => owners.All(owner => Ended(drain, owner) == 2 * AsyncTurns.Places));
        // What two move on is there twice.
        Assert.Equal((owners.Length * 2 * AsyncTurns.Places) + Few, drain.Broker.Enqueued);
        await stop();
        await stopOther();
        await drain.EndAsync();
    });

    [Fact]
    public void A_deadline_counts_from_the_coming_and_ends_what_is_parked() => VirtualTime.Run(async world =>
    {
        DrainWorld drain = new(world);
        AsyncTurns turns = Turns(world, drain, out Func<Task> stop);
        // Each takes a second: the last ones are past their time before it is their turn.
        ScriptedEngine engine = drain.Engine(slots: 16);
        drain.Work(engine);
        await SubmitAsync(turns, "a", Flood, words: 10, deadline: TimeSpan.FromSeconds(10));
        await world.UntilAsync(() => Ended(drain, "a") == Flood);
        InferenceResult last = (await drain.Results.FindAsync(new RequestId($"a{Flood - 1}"), None))!;
        Assert.Equal(RequestOutcome.Expired, last.Outcome);
        Assert.DoesNotContain(engine.Started, one => one.Id == last.Id);
        // Sixteen a second, for ten seconds.
        Assert.InRange(engine.Started.Count, 120, 200);
        await stop();
        await drain.EndAsync();
    });

    [Fact]
    public void A_store_that_is_away_refuses_newcomers_and_keeps_the_others() => VirtualTime.Run(async world =>
    {
        DrainWorld drain = new(world);
        AsyncTurns turns = Turns(world, drain, out Func<Task> stop);
        await SubmitAsync(turns, "a", 200);
        drain.Broker.IsDown = true;
        await Assert.ThrowsAsync<TransportException>(async () => await turns.SubmitAsync(Ask("a", 200, 1, null), None));
        await Assert.ThrowsAsync<TransportException>(async () => await turns.SubmitAsync(Ask("b", 0, 1, null), None));
        await world.PassAsync(10);
        drain.Broker.IsDown = false;
        drain.Work(drain.Engine(slots: 64));
        await world.UntilAsync(() => Ended(drain, "a") == 200);
        await SubmitAsync(turns, "b", Few);
        await world.UntilAsync(() => Ended(drain, "b") == Few);
        await stop();
        await drain.EndAsync();
    });

    private static AsyncTurns Turns(VirtualTime world, DrainWorld drain, out Func<Task> stop)
    {
        AsyncTurns turns = new(drain.Connect(), drain.Gate(), world.Clock, NullLogger.Instance);
        CancellationTokenSource end = new();
        Task running = turns.RunAsync(end.Token);
        stop = async () =>
        {
            end.Cancel();
            await running;
            end.Dispose();
        };
        return turns;
    }

    private static async Task SubmitAsync(AsyncTurns turns, string owner, int count, int words = 1, TimeSpan? deadline = null)
    {
        for (int i = 0; i < count; i++) await turns.SubmitAsync(Ask(owner, i, words, deadline), None);
    }

    private static InferenceRequest Ask(string owner, int i, int words, TimeSpan? deadline) =>
        DrainWorld.Request($"{owner}{i}", words, deadline: deadline).Request with { Owner = owner };

    private static IEnumerable<string> Parked(DrainWorld drain) => drain.Broker.Store.Names.Where(name => name.StartsWith("parked", StringComparison.Ordinal));

    private static int Ended(DrainWorld drain, string owner) => drain.Broker.Store.Names.Count(name => name.StartsWith($"{ResultStore.Folder}{owner}", StringComparison.Ordinal));
}
