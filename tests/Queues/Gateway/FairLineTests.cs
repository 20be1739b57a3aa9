using CsCheck;
using Microsoft.Extensions.Time.Testing;
using R1Serverless.Queues;

namespace R1Serverless.Tests.Queues.Gateway;

/// <summary>Whose turn it is, and who is let in.</summary>
public sealed class FairLineTests
{
    private const int Keys = 4;

    [Fact]
    public void Keys_take_turns_and_each_keeps_its_own_order() =>
        Gen.Select(Gen.Int[0, Keys - 1], Gen.Bool).List[0, 60].Sample(steps =>
        {
            FairOrder<Item> order = new();
            List<Item> waiting = [];
            int next = 0;
            foreach ((int key, bool takes) in steps)
            {
                if (!takes)
                {
                    int own = waiting.Count(one => one.Key == key);
                    Item item = new(key, next++, own + ((Keys - 1) * (own + 1)));
                    // What waits now, and would go before it, is no more than that.
                    Assert.InRange(order.Ahead(Name(key)), own, item.MayOvertake);
                    order.Add(Name(key), item);
                    waiting.Add(item);
                    continue;
                }

                Item? taken = order.Take();
                Assert.Equal(waiting.Count == 0, taken is null);
                if (taken is null) continue;
                Assert.Equal(waiting.First(one => one.Key == taken.Key), taken);
                waiting.Remove(taken);
                foreach (Item left in waiting) left.Overtaken++;
                // However many the others add: its own before it, and as many turns of each other key.
                Assert.InRange(taken.Overtaken, 0, taken.MayOvertake);
                Assert.Equal(waiting.Count, order.Count);
            }
        });

    [Fact]
    public async Task A_newcomer_waits_for_what_was_let_in_and_one_of_each_other_key_however_many_wait()
    {
        const int Places = 4, Flood = 500;
        FairLine line = new(Places, mostPerKey: 1000, new FakeTimeProvider());
        Queue<(string Key, FairLine.Pass Pass)> fifo = new();
        List<Task> entering = [.. Enumerable.Range(0, Flood).Select(_ => EnterAsync(line, "a", fifo))];
        Assert.Equal(Places, fifo.Count);
        Start(fifo);
        entering.Add(EnterAsync(line, "b", fifo));
        int before = 0;
        while (true)
        {
            // All that have been let in stand in the queue, whatever their threads wait for.
            while (Count(fifo) < Places) await Task.Yield();
            if (Start(fifo) == "b") break;
            before++;
        }

        Assert.InRange(before, 0, Places + 1);
        while (!Task.WhenAll(entering).IsCompleted)
        {
            if (Count(fifo) > 0) Start(fifo);
            else await Task.Yield();
        }
    }

    [Fact]
    public void A_key_has_no_more_in_flight_than_it_may_and_others_are_not_concerned()
    {
        FairLine line = new(places: null, mostPerKey: 2, new FakeTimeProvider());
        FairLine.Pass first = line.TryEnter("a")!;
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
        FairLine line = new(places: 1, mostPerKey: 10, new FakeTimeProvider());
        FairLine.Pass holder = line.TryEnter("a")!, quitter = line.TryEnter("a")!, next = line.TryEnter("b")!;
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
        FairLine line = new(places: 1, mostPerKey: 100, time);
        Queue<(string Key, FairLine.Pass Pass)> fifo = new();
        List<Task> entering = [.. Enumerable.Range(0, 60).Select(_ => EnterAsync(line, "a", fifo))];
        Assert.Equal(TimeSpan.Zero, line.EstimatedWait("a"));
        for (int i = 0; i < 40; i++)
        {
            while (fifo.Count == 0) await Task.Yield();
            time.Advance(TimeSpan.FromSeconds(1));
            Start(fifo);
        }

        while (fifo.Count == 0) await Task.Yield();
        // Nineteen wait: one more of that key comes after them, one of another key after the first.
        Assert.InRange(line.EstimatedWait("a").TotalSeconds, 17, 21);
        Assert.InRange(line.EstimatedWait("b").TotalSeconds, 1, 3);
        while (!Task.WhenAll(entering).IsCompleted)
        {
            if (Count(fifo) > 0) Start(fifo);
            else await Task.Yield();
        }
    }

    private static async Task EnterAsync(FairLine line, string key, Queue<(string Key, FairLine.Pass Pass)> fifo)
    {
        FairLine.Pass pass = line.TryEnter(key)!;
        await pass.WaitAsync(CancellationToken.None);
        lock (fifo) fifo.Enqueue((key, pass));
    }

    private static int Count(Queue<(string Key, FairLine.Pass Pass)> fifo)
    {
        lock (fifo) return fifo.Count;
    }

    private static string Start(Queue<(string Key, FairLine.Pass Pass)> fifo)
    {
        (string key, FairLine.Pass pass) first;
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
