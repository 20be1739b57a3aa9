using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues;
using R1Serverless.Queues.Batches;
using R1Serverless.Queues.Sqlite;
using R1Serverless.Storage;

namespace R1Serverless.Tests.Queues.Batches;

/// <summary>The largest batch that is allowed: 50,000 lines in 200 MB.</summary>
[Collection(nameof(AloneWithTheHeap))]
public sealed class HugeBatchTests : IDisposable
{
    private const int Lines = 50_000, LineBytes = 4_000;
    private const long MaxGrowth = 48L << 20;

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-huge-").FullName;

    [Fact]
    public async Task It_runs_in_bounded_memory_and_comes_out_whole()
    {
        await using EmbeddedTransport files = new(_folder, TimeProvider.System);
        await files.OpenAsync(default);
        HugeStore store = new(files.Store);
        FakeTransport transport = new(new FakeBroker(TimeProvider.System), TimeProvider.System, store) { Enqueueing = store.Answer };
        BatchLimits limits = new() { Outstanding = 1024, PollLeast = TimeSpan.FromMilliseconds(1), Look = TimeSpan.FromMilliseconds(20) };
        BatchJobs jobs = new(store, TimeProvider.System);
        var created = await jobs.CreateAsync(
            new BatchJob
            {
                Id = jobs.NewId(), Owner = "o", Input = HugeStore.Input, Endpoint = BatchWorld.Chat, Window = TimeSpan.FromHours(1),
                Times = new BatchTimes(0, 3600)
            }, default);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        using CancellationTokenSource stop = new(TimeSpan.FromMinutes(15));
        var driving =
            new BatchDriver(transport, new OpenAiBatches(null, TimeProvider.System), limits, TimeProvider.System,
                NullLogger<BatchDriver>.Instance).RunAsync(stop.Token);
        long most = 0;
        BatchJob job;
        do
        {
            await Task.Delay(500, stop.Token);
            // Collected once: a forced total collects until it is steady, which beside other tests it never is.
            GC.Collect();
            most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: false) - before);
            job = (await jobs.GetAsync(created.Id, default))!.Job;
        }
        while (!job.IsEnded);

        await stop.CancelAsync();
        await driving;
        Assert.Equal((BatchState.Completed, new BatchCounts(Lines, Lines, 0)), (job.State, job.Counts));
        Assert.InRange(most, 0, MaxGrowth);
        await using LineReader output = new((await store.OpenAsync(FileStore.Content(job.OutputFile!), default))!, 1 << 20);
        for (var i = 1; i <= Lines; i++)
        {
            Assert.True(await output.ReadAsync(default));
            Assert.True(output.Line.Span.IndexOf(Encoding.UTF8.GetBytes($"\"custom_id\":\"{i:D8}\"")) > 0, $"line {i}");
        }

        Assert.False(await output.ReadAsync(default));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>The input is made as it is read, and results when they are asked for; the rest are files.</summary>
    private sealed class HugeStore(IObjectStore inner) : IObjectStore
    {
        public const string Input = "files/huge/content";

        private readonly HashSet<string> _results = new(StringComparer.Ordinal);

        public void Answer(QueuedRequest request)
        {
            var id = request.Request.Id.Value;
            lock (_results) _results.Add($"results/{id[..id.LastIndexOf('-')]}/{id[(id.LastIndexOf('-') + 1)..]}.json");
        }

        public ValueTask<string?> PutAsync(string name, ReadOnlyMemory<byte> content, PutCondition condition, CancellationToken cancellationToken) =>
            inner.PutAsync(name, content, condition, cancellationToken);

        public ValueTask PutAsync(string name, Stream content, CancellationToken cancellationToken) =>
            inner.PutAsync(name, content, cancellationToken);

        public ValueTask<StoredObject?> GetAsync(string name, CancellationToken cancellationToken)
        {
            lock (_results)
            {
                if (!_results.Contains(name)) return inner.GetAsync(name, cancellationToken);
            }

            InferenceResult result = new()
            {
                Id = new RequestId("b-" + name.Split('/')[^1]), Outcome = RequestOutcome.Finished, Usage = new Usage(1, 1, 0),
                Choices = [new ChoiceResult([new TextPart(DeltaKind.Answer, new string('x', 500))], FinishReason.Stop)],
            };
            return new(new StoredObject(MessageFormat.Write(result), "1"));
        }

        public ValueTask<Stream?> OpenAsync(string name, CancellationToken cancellationToken) =>
            name == Input ? new(new HugeInput()) : inner.OpenAsync(name, cancellationToken);

        public ValueTask<bool> ExistsAsync(string name, CancellationToken cancellationToken) => inner.ExistsAsync(name, cancellationToken);

        public ValueTask<bool> DeleteAsync(string name, CancellationToken cancellationToken)
        {
            lock (_results)
            {
                if (_results.Remove(name)) return new(true);
            }

            return inner.DeleteAsync(name, cancellationToken);
        }

        public async IAsyncEnumerable<ObjectEntry> ListAsync(string prefix,
            [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
        {
            string[] results;
            lock (_results) results = [.. _results.Where(name => name.StartsWith(prefix, StringComparison.Ordinal))];
            foreach (var name in results) yield return new ObjectEntry(name, 1, TimeSpan.Zero);
            await foreach (var entry in inner.ListAsync(prefix, cancellationToken)) yield return entry;
        }
    }

    /// <summary>Lines numbered from 1, each of the same length.</summary>
    private sealed class HugeInput : MemoryStream
    {
        private readonly byte[] _line;
        private readonly int _digits;
        private int _number;
        private int _at;

        public HugeInput()
        {
            var line = BatchWorld.Line("00000000", "");
            line = line.Replace("\"content\":\"", "\"content\":\"" + new string('y', LineBytes - line.Length - 1), StringComparison.Ordinal);
            _line = Encoding.ASCII.GetBytes(line + "\n");
            _digits = line.IndexOf("00000000", StringComparison.Ordinal);
            _at = _line.Length;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_at == _line.Length)
            {
                if (_number == Lines) return new(0);
                Encoding.ASCII.GetBytes($"{++_number:D8}").CopyTo(_line, _digits);
                _at = 0;
            }

            var read = Math.Min(buffer.Length, _line.Length - _at);
            _line.AsMemory(_at, read).CopyTo(buffer);
            _at += read;
            return new(read);
        }
    }
}

/// <summary>Tests that measure the heap of the whole process run when no other does.</summary>
[CollectionDefinition(nameof(AloneWithTheHeap), DisableParallelization = true)]
public sealed class AloneWithTheHeap;
