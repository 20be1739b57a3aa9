using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Tests.Queues.Sqlite;

namespace R1Serverless.Tests.Faults;

/// <summary>One owner's flood of requests that nobody waits for, then a few of another's, in the queue where owners take turns.</summary>
public sealed class AsyncFloodTests(ITestOutputHelper output)
{
    private const int Flood = 500, Few = 5, AtOnce = 16;

    [Fact]
    public async Task A_few_requests_end_while_most_of_a_flood_before_them_waits()
    {
        await using EmbeddedFixture fixture = new();
        await using FaultWorld world = new();
        var gate = await fixture.ConnectAsync();
        var gateway = world.Gate(gate, TimeProvider.System);
        await Parallel.ForAsync(0, Flood, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = FaultWorld.Cancelled },
            (i, token) =>
            gateway.SubmitAsync(Ask("a", i), WorkClass.Bulk, batch: null, token));
        for (var i = 0; i < Few; i++) await gateway.SubmitAsync(Ask("b", i), WorkClass.Bulk, batch: null, FaultWorld.Cancelled);

        // Nothing has run yet: the order of the starts is that of the queue.
        NarrowEngine engine = new();
        world.Work(await fixture.ConnectAsync(), engine, TimeProvider.System);
        var found = await FaultWorld.ResultsAsync(gate, Flood + Few);
        string[] started = [.. engine.Started.Select(id => id.Value)];
        var last = Array.FindLastIndex(started, id => id[0] == 'b');
        output.WriteLine(
            $"{gate.Description}: requests in {Flood + Few}, results out {found}, runs {started.Length}; of the flood's {Flood}, "
            + $"{last + 1 - Few} began before the other's last");
        Assert.Equal((Flood + Few, Flood + Few), (found, started.Distinct().Count()));
        Assert.InRange(last, Few - 1, Flood / 2);
        Assert.Equal(0, await FaultWorld.DeadLettersAsync(gate));
    }

    private static InferenceRequest Ask(string owner, int i) => FaultWorld.Ask($"{owner}{i}", 1) with { Owner = owner };

    /// <summary>Admits few at once, so that the others wait in the queue.</summary>
    private sealed class NarrowEngine : IInference
    {
        private readonly SemaphoreSlim _slots = new(4);

        public ConcurrentQueue<RequestId> Started { get; } = new();

        public async IAsyncEnumerable<InferenceEvent> RunAsync(InferenceRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await _slots.WaitAsync(cancellationToken);
            try
            {
                Started.Enqueue(request.Id);
                yield return new InferenceEvent.Admitted(1, new VariantChoice(Precision.Fp32, "the only one"));
                yield return new InferenceEvent.Delta(0, DeltaKind.Answer, "w0 ");
                yield return new InferenceEvent.ChoiceFinished(0, FinishReason.Stop);
                yield return new InferenceEvent.Finished(new Usage(1, 1, 0));
            }
            finally
            {
                _slots.Release();
            }
        }
    }
}
