using CsCheck;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Queues.Gateway;

namespace R1Serverless.Tests.Queues.Gateway;

/// <summary>Whose turn it is, and who is let in.</summary>
public sealed class FairAdmissionQueueTests
{
    private const int Keys = 4;

    [Fact]
    public void Keys_take_turns_and_each_keeps_its_own_order() =>
        Gen.Select(Gen.Int[0, Keys - 1], Gen.Bool).List[0, 60].Sample(steps =>
        {
            RoundRobinQueue<Item> order = new();
            List<Item> waiting = [];
            var next = 0;
            foreach ((var key, var takes) in steps)
            {
                if (!takes)
                {
                    var own = waiting.Count(one => one.Key == key);
                    Item item = new(key, next++, own + ((Keys - 1) * (own + 1)));
                    // What waits now, and would go before it, is no more than that.
                    Assert.InRange(order.Ahead(Name(key)), own, item.MayOvertake);
                    order.Add(Name(key), item);
                    waiting.Add(item);
                    continue;
                }

                var taken = order.Take();
                Assert.Equal(waiting.Count == 0, taken is null);
                if (taken is null) continue;
                Assert.Equal(waiting.First(one => one.Key == taken.Key), taken);
                waiting.Remove(taken);
                foreach (var left in waiting) left.Overtaken++;
                // However many the others add: its own before it, and as many turns of each other key.
                Assert.InRange(taken.Overtaken, 0, taken.MayOvertake);
                Assert.Equal(waiting.Count, order.Count);
            }
        });

    [Fact]
    public async Task A_newcomer_waits_for_what_was_let_in_and_one_of_each_other_key_however_many_wait()
    {
        const int Places = 4, Flood = 500;
        FairAdmissionQueue line = new(Places, maxPerKey: 1000, new FakeTimeProvider());
        Queue<(string Key, FairAdmissionQueue.Pass Pass)> fifo = new();
        List<Task> entering = [.. Enumerable.Range(0, Flood).Select(_ => EnterAsync(line, "a", fifo))];
        Assert.Equal(Places, fifo.Count);
        Start(fifo);
        entering.Add(EnterAsync(line, "b", fifo));
        var before = 0;
        while (true)
        {
            // All that have been let in stand in the queue, whatever their threads wait for.
            await UntilAsync(fifo, Places);
            if (Start(fifo) == "b") break;
            before++;
        }

        Assert.InRange(before, 0, Places + 1);
        await Eventually.HoldsAsync(() => StartAll(fifo) && Task.WhenAll(entering).IsCompleted, "all have entered");
    }

    [Fact]
    public void A_key_has_no_more_in_flight_than_it_may_and_others_are_not_concerned()
    {
        FairAdmissionQueue line = new(places: null, maxPerKey: 2, new FakeTimeProvider());
        var first = line.TryEnter("a")!;
        Assert.NotNull(line.TryEnter("a"));
        Assert.Null(line.TryEnter("a"));
        Assert.NotNull(line.TryEnter("b"));
        first.Dispose();
        first.Dispose();
        Assert.NotNull(line.TryEnter("a"));
        Assert.Null(line.TryEnter("a"));
    }

    [Fact]
    public async Task Who_gives_up_leaves_the_line_and_whoever_ends_makes_room()
    {
        FairAdmissionQueue line = new(places: 1, maxPerKey: 10, new FakeTimeProvider());
        FairAdmissionQueue.Pass holder = line.TryEnter("a")!, quitter = line.TryEnter("a")!, next = line.TryEnter("b")!;
        await holder.WaitAsync(CancellationToken.None);
        using CancellationTokenSource gone = new();
        Task quitting = quitter.WaitAsync(gone.Token), waiting = next.WaitAsync(CancellationToken.None);
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => quitting);
        Assert.False(waiting.IsCompleted);
        quitter.Dispose();
        Assert.False(waiting.IsCompleted);
        holder.Dispose();
        await waiting;
    }

    [Fact]
    public async Task The_wait_is_told_by_how_fast_others_were_started()
    {
        FakeTimeProvider time = new();
        FairAdmissionQueue line = new(places: 1, maxPerKey: 100, time);
        Queue<(string Key, FairAdmissionQueue.Pass Pass)> fifo = new();
        List<Task> entering = [.. Enumerable.Range(0, 60).Select(_ => EnterAsync(line, "a", fifo))];
        Assert.Equal(TimeSpan.Zero, line.EstimatedWait("a"));
        for (var i = 0; i < 40; i++)
        {
            await UntilAsync(fifo, 1);
            time.Advance(TimeSpan.FromSeconds(1));
            Start(fifo);
        }

        await UntilAsync(fifo, 1);
        // Nineteen wait: one more of that key comes after them, one of another key after the first.
        Assert.InRange(line.EstimatedWait("a").TotalSeconds, 17, 21);
        Assert.InRange(line.EstimatedWait("b").TotalSeconds, 1, 3);
        await Eventually.HoldsAsync(() => StartAll(fifo) && Task.WhenAll(entering).IsCompleted, "all have entered");
    }

    private static async Task EnterAsync(FairAdmissionQueue line, string key, Queue<(string Key, FairAdmissionQueue.Pass Pass)> fifo)
    {
        var pass = line.TryEnter(key)!;
        await pass.WaitAsync(CancellationToken.None);
        lock (fifo) fifo.Enqueue((key, pass));
    }

    private static Task UntilAsync(Queue<(string Key, FairAdmissionQueue.Pass Pass)> fifo, int count) =>
        Eventually.HoldsAsync(() => Count(fifo) >= count, $"{count} in the queue");

    private static bool StartAll(Queue<(string Key, FairAdmissionQueue.Pass Pass)> fifo)
    {
        while (Count(fifo) > 0) Start(fifo);
        return true;
    }

    private static int Count(Queue<(string Key, FairAdmissionQueue.Pass Pass)> fifo)
    {
        lock (fifo) return fifo.Count;
    }

    private static string Start(Queue<(string Key, FairAdmissionQueue.Pass Pass)> fifo)
    {
        (string key, FairAdmissionQueue.Pass pass) first;
        lock (fifo) first = fifo.Dequeue();
        first.pass.Started();
        return first.key;
    }

    private static string Name(int key) => $"k{key}";

    private sealed class Item(int key, int number, int mayOvertake)
    {
        public int Key { get; } = key;

        public int Number { get; } = number;

        public int MayOvertake { get; } = mayOvertake;

        public int Overtaken { get; set; }
    }
}
