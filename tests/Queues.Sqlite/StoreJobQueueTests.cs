using System.Diagnostics;
using System.Text;
using R1Serverless.Queues;
using R1Serverless.Storage.Files;

namespace R1Serverless.Tests.Queues.Sqlite;

/// <summary>Jobs as files that producers move into a folder.</summary>
public sealed class StoreJobQueueTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("r1-jobs-").FullName;
    private readonly FileObjectStore _store;

    public StoreJobQueueTests()
    {
        _store = new FileObjectStore(_folder, TimeProvider.System, TimeProvider.System);
        _store.Open();
    }

    [Theory]
    [InlineData("a job.json")]
    [InlineData(".job.json")]
    [InlineData("büro.json")]
    [InlineData("a folder/job.json")]
    public async Task A_file_that_can_be_no_object_stands_in_nobodys_way(string name)
    {
        StoreJobQueue queue = new(_store, TimeProvider.System);
        await queue.EnqueueAsync("{}"u8.ToArray(), default);
        var path = Path.Combine(_folder, StoreJobQueue.Folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await File.WriteAllTextAsync(path, "{}");

        var lease = (await queue.LeaseAsync(TimeSpan.Zero, default))!;
        await lease.CompleteAsync(default);
        Assert.Null(await queue.LeaseAsync(TimeSpan.Zero, default));
        Assert.True(File.Exists(path));
    }

    [Fact]
    public async Task What_is_no_file_is_left_alone()
    {
        StoreJobQueue queue = new(_store, TimeProvider.System);
        await queue.EnqueueAsync("{}"u8.ToArray(), default);
        var folder = Path.Combine(_folder, StoreJobQueue.Folder);
        string pipe = Path.Combine(folder, "0.json"), toPipe = Path.Combine(folder, "1.json"), device = Path.Combine(folder, "2.json");
        using (var made = Process.Start("mkfifo", [pipe])) await made.WaitForExitAsync(TestContext.Current.CancellationToken);
        File.CreateSymbolicLink(toPipe, pipe);
        File.CreateSymbolicLink(device, "/dev/zero");

        var patience = TimeSpan.FromSeconds(30);
        var lease = (await queue.LeaseAsync(TimeSpan.Zero, default).AsTask().WaitAsync(patience))!;
        Assert.Equal("{}"u8, lease.Message.Span);
        await lease.CompleteAsync(default);
        Assert.Null(await queue.LeaseAsync(TimeSpan.Zero, default).AsTask().WaitAsync(patience));
        Assert.Null(await _store.GetAsync(StoreJobQueue.Folder + "0.json", default).AsTask().WaitAsync(patience));
        foreach (var left in (string[])[pipe, toPipe, device]) Assert.True(File.Exists(left));
    }

    [Theory]
    [InlineData("79e2")]
    [InlineData("order 7/ü")]
    [InlineData("../../x")]
    [InlineData("")]
    [InlineData(
        "a-long-name-a-long-name-a-long-name-a-long-name-a-long-name-a-long-name-a-long-name-a-long-name-a-long-name-a-long-name-a-long-name")]
    public async Task Whatever_a_producer_calls_a_message_it_is_put_aside(string id)
    {
        StoreJobQueue queue = new(_store, TimeProvider.System);
        for (var i = 0; i < 2; i++) await queue.PutAsideAsync(id, "{"u8.ToArray(), "no good", default);
        var letter = Assert.Single(Directory.EnumerateFiles(Path.Combine(_folder, StoreJobQueue.PoisonFolder)));
        Assert.Contains("no good", await File.ReadAllTextAsync(letter, Encoding.UTF8), StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
