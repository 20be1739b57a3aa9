using System.Text;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Evaluation;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Engine;

public sealed class EvaluationTests
{
    private static readonly EvaluationTask[] Tasks = [new("add", "1+1", "42"), new("add", "40+2", "42"), new("times", "6*7", "42"),
        new("times", "2*2", "4")];

    [Fact]
    public async Task Counts_exact_answers_by_family_and_asks_greedily()
    {
        var engine = FakeInference.Thoughtful();
        var counted = new Counter();
        var report = await Evaluation.RunAsync(engine, "r1-nano", Precision.Int8, Tasks, TimeProvider.System, counted, CancellationToken.None);
        Assert.Equal([new("add", 2, 2, 0), new("times", 1, 2, 0)], report.Families);
        Assert.Equal(new FamilyScore("all", 3, 4, 0), report.Total);
        Assert.Equal(16, report.CompletionTokens);
        Assert.Equal(4, counted.Most);
        Assert.All(engine.Requests, r => Assert.Equal((0, Precision.Int8), (r.Sampling.Temperature, r.Precision.Named)));
        Assert.Equal(Tasks.Select(t => t.Prompt).Order(), engine.Requests.Select(r => ((Prompt.Chat)r.Prompt).Messages.Single().Content).Order());
    }

    [Fact]
    public async Task A_failed_request_is_an_error_and_not_right()
    {
        var engine = FakeInference.Of(new InferenceEvent.Failed(new(InferenceErrorKind.QueueFull, "full")));
        var report =
            await Evaluation.RunAsync(engine, "r1-nano", Precision.Fp32, [new("add", "1+1", "")], TimeProvider.System, null, CancellationToken.None);
        Assert.Equal(new FamilyScore("all", 0, 1, 1), report.Total);
    }

    [Fact]
    public async Task Tasks_are_read_from_lines_and_bad_lines_are_named()
    {
        var path = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(path, """
                {"family": "add", "prompt": "1+1", "answer": "2"}

                {"family": "比较", "prompt": "9.11 和 9.9", "answer": "9.9", "more": 1}
                """, Encoding.UTF8);
            Assert.Equal([new("add", "1+1", "2"), new("比较", "9.11 和 9.9", "9.9")], await EvaluationTask.LoadAsync(path, CancellationToken.None));
            foreach (var bad in (string[])["[]", "{", """{"family":"a","prompt":"b","answer":3}"""])
            {
                await File.WriteAllTextAsync(path, "\n" + bad);
                var error = await Assert.ThrowsAsync<InvalidDataException>(() => EvaluationTask.LoadAsync(path, CancellationToken.None));
                Assert.Contains("line 2", error.Message, StringComparison.Ordinal);
            }

            await File.WriteAllTextAsync(path, "\n");
            await Assert.ThrowsAsync<InvalidDataException>(() => EvaluationTask.LoadAsync(path, CancellationToken.None));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private sealed class Counter : IProgress<int>
    {
        private int _most;

        public int Most => _most;

        public void Report(int value)
        {
            int seen;
            do seen = Volatile.Read(ref _most);
            while (value > seen && Interlocked.CompareExchange(ref _most, value, seen) != seen);
        }
    }
}
