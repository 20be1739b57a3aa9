using System.Text;
using R1Serverless.Storage;
using R1Serverless.Storage.Files;

namespace R1Serverless.Tests.Queues.Sqlite;

/// <summary>Of several that write what is absent, one succeeds: that makes the effect of several deliveries one.</summary>
public sealed class FirstWriterTests : IDisposable
{
    private const int Rounds = 300, Writers = 4;

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-first-").FullName;

    [Fact]
    public async Task One_of_several_threads_writes_an_absent_object_round_after_round()
    {
        FileObjectStore store = new(_folder, TimeProvider.System, TimeProvider.System);
        store.Open();
        using Barrier together = new(Writers);
        var tags = await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Factory.StartNew(
            () => Enumerable.Range(0, Rounds).Select(round =>
            {
                together.SignalAndWait();
                return store.PutAsync($"race/{round}", Encoding.ASCII.GetBytes($"{writer}"), PutCondition.Absent, CancellationToken.None).AsTask()
                    .GetAwaiter().GetResult();
            }).ToArray(),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        for (var round = 0; round < Rounds; round++)
        {
            var winner = Assert.Single(Enumerable.Range(0, Writers), writer => tags[writer][round] is not null);
            var stored = (await store.GetAsync($"race/{round}", CancellationToken.None))!;
            Assert.Equal((tags[winner][round], $"{winner}"), (stored.Tag, Encoding.ASCII.GetString(stored.Content.Span)));
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
