using CsCheck;
using R1Serverless.Scheduling.Tensors;

namespace R1Serverless.Tests.Scheduling.Tensors;

/// <summary>Which requests share a run.</summary>
public sealed class TensorQueueTests
{
    /// <summary>Shape, rows, priority; what is cancelled, and when lanes ask, follows from the seed.</summary>
    private static readonly Gen<(int Shape, int Rows, int Priority)[]> Requests =
        Gen.Select(Gen.Int[0, 5], Gen.OneOf(Gen.Int[1, 3], Gen.Int[1, 90]), Gen.Int[0, 2]).Array[1, 80];

    [Fact]
    public void Every_request_leaves_once_in_runs_of_one_shape_within_the_limits() =>
        Gen.Select(Requests, Gen.Int[1, 4], Gen.Int[0, 3], Gen.Int[0, int.MaxValue]).Sample((requests, lanes, delay, seed) =>
        {
            var random = new Random(seed);
            TensorRunLimits limits = new(MaxRows: 16, MaxBytes: 400, MaxQueueDelay: delay);
            TensorQueue<int> queue = new(limits, lanes);
            List<WaitingTensors<int>> waiting = [];
            HashSet<int> left = [];
            var (next, cancelled) = (0, 0);
            for (var now = 0L; next < requests.Length || queue.Count > 0; now++)
            {
                for (var arrivals = random.Next(4); arrivals > 0 && next < requests.Length; arrivals--, next++)
                {
                    var (shape, rows, priority) = requests[next];
                    waiting.Add(queue.Add(next, shape == 0 ? null : $"{shape}", rows, rows * 10, priority, now));
                }

                if (waiting.Count > 0 && random.Next(6) == 0)
                {
                    var gone = waiting[random.Next(waiting.Count)];
                    Assert.True(queue.Remove(gone));
                    Assert.False(queue.Remove(gone));
                    waiting.Remove(gone);
                    cancelled++;
                }

                var run = queue.Next(now, out var due);
                if (run.Count == 0)
                {
                    Assert.Equal(queue.Count > 0, due is not null);
                    Assert.True(due is null || (due > now && due <= now + delay));
                    continue;
                }

                Check(run, waiting, limits, delay == 0);
                foreach (var one in run)
                {
                    Assert.True(left.Add(one.Request));
                    Assert.True(waiting.Remove(one));
                }

                Assert.Equal(waiting.Count, queue.Count);
            }

            Assert.Equal(requests.Length, left.Count + cancelled);
        });

    [Fact]
    public void Lanes_share_what_waits_once_a_run_is_worthwhile()
    {
        TensorQueue<int> queue = new(new TensorRunLimits(MaxRows: 64, WorthwhileRows: 4), lanes: 2);
        for (var i = 0; i < 20; i++) queue.Add(i, "a", 1, 1, 0, 0);
        Assert.Equal([10, 5, 4, 1], Enumerable.Range(0, 4).Select(_ => queue.Next(0, out var _).Count));
    }

    [Fact]
    public void A_request_waits_for_company_as_long_as_it_may()
    {
        TensorQueue<int> queue = new(new TensorRunLimits(MaxRows: 2, WorthwhileRows: 2, MaxQueueDelay: 10), lanes: 1);
        queue.Add(1, "a", 1, 1, 0, arrived: 5);
        Assert.Empty(queue.Next(14, out var due));
        Assert.Equal(15, due);
        queue.Add(2, "a", 1, 1, 0, arrived: 14);
        Assert.Equal([1, 2], queue.Next(14, out _).Select(one => one.Request));
        queue.Add(3, "a", 1, 1, 0, arrived: 20);
        Assert.Equal([3], queue.Next(30, out _).Select(one => one.Request));
    }

    private static void Check(IReadOnlyList<WaitingTensors<int>> run, List<WaitingTensors<int>> waiting, TensorRunLimits limits, bool isFirstFirst)
    {
        Assert.Single(run.Select(one => one.Shape).Distinct());
        if (run.Count > 1)
        {
            Assert.True(run.Sum(one => one.Rows) <= limits.MaxRows && run.Sum(one => one.Bytes) <= limits.MaxBytes);
            Assert.DoesNotContain(run, one => one.IsAlone);
        }

        // Nobody is overtaken by one of the same shape; without a delay, the first of all goes.
        var line = waiting.Where(one => one.Shape == run[0].Shape).OrderByDescending(one => one.Priority).ThenBy(one => one.Number);
        Assert.Equal(line.Take(run.Count), run);
        if (isFirstFirst) Assert.Equal(waiting.OrderByDescending(one => one.Priority).ThenBy(one => one.Number).First(), run[0]);
    }
}
