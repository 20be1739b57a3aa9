using Microsoft.Extensions.Time.Testing;
using R1Serverless.Storage;
using R1Serverless.Storage.Files;

namespace R1Serverless.Tests.Queues.Sqlite;

/// <summary>What is waited for, and what never comes.</summary>
public sealed class FileLockTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromHours(12);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("r1-lock-");
    private readonly FakeTimeProvider _time = new();

    private string Path => System.IO.Path.Combine(_folder.FullName, "lock");

    [Fact]
    public async Task One_that_others_hold_is_waited_for_until_patience_ends()
    {
        using var held = await TakeAsync();
        var waiting = TakeAsync();
        Assert.False(waiting.IsCompleted);

        _time.Advance(Patience + TimeSpan.FromSeconds(1));

        var fault = await Assert.ThrowsAsync<TransportException>(() => waiting.AsTask());
        Assert.False(fault.IsPermanent);
        Assert.True(FileLock.IsHeld(fault.InnerException!));
    }

    [Fact]
    public async Task One_that_can_be_opened_by_nobody_is_refused_at_once()
    {
        // The system says it in a plain IOException, as of a read-only or a full disk.
        File.CreateSymbolicLink(Path, Path);

        var fault = await Assert.ThrowsAsync<TransportException>(() => TakeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10)));

        Assert.True(fault.IsPermanent);
        Assert.Equal(typeof(IOException), fault.InnerException!.GetType());
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private ValueTask<IDisposable> TakeAsync() => FileLock.TakeAsync(Path, _time, Patience, CancellationToken.None);
}
