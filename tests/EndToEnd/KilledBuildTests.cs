using System.Diagnostics;
using R1Serverless.Building;
using R1Serverless.Models;
using R1Serverless.Requests;
using R1Serverless.Tests.Building;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>`r1 model build` in a process of its own, killed without a chance to tidy up.</summary>
public sealed class KilledBuildTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private readonly string _folder = Directory.CreateTempSubdirectory("r1-killed-").FullName;

    [Fact]
    public async Task A_killed_build_leaves_the_old_model_whole_and_the_next_build_tidies_up()
    {
        string checkpoint = Path.Combine(_folder, "checkpoint"), target = Path.Combine(_folder, "models", "mine");
        // Large enough not to be done before it is killed.
        SyntheticCheckpoint.Write(checkpoint, new SyntheticShape(512, 4, 8, 2, 64, 2304, 16000, 4096), ReferenceCheckpoints.Folder("qwen2"));
        ModelFolder old = ModelBuilder.Build(ReferenceCheckpoints.Folder("llama"), target, "mine", TimeProvider.System);

        TaskCompletionSource<string> writing = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using FileSystemWatcher watcher = new(Path.GetDirectoryName(target)!) { IncludeSubdirectories = true, EnableRaisingEvents = true };
        watcher.Created += (_, change) =>
        {
            if (change.Name!.EndsWith(".onnx.data", StringComparison.Ordinal)) writing.TrySetResult(Path.GetDirectoryName(change.FullPath)!);
        };
        using Process build = Start(checkpoint, target);
        string half = await writing.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);
        build.Kill();
        await build.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.NotEqual(0, build.ExitCode);
        Assert.True(Directory.Exists(half));
        Assert.Equal(old.Manifest.Created, ModelFolder.Open(target).Manifest.Created);
        Assert.Equal(["mine"], new ModelRepository(Path.GetDirectoryName(target)!).Names());

        ModelFolder next = ModelBuilder.Build(checkpoint, target, "mine", TimeProvider.System, [Precision.Int4], progress: null, TestContext.Current.CancellationToken);
        Assert.Equal(Precision.Int4, Assert.Single(next.Manifest.Variants).Precision);
        Assert.Equal([target], Directory.GetFileSystemEntries(Path.GetDirectoryName(target)!));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static Process Start(string checkpoint, string target)
    {
        ProcessStartInfo start = new("dotnet") { UseShellExecute = false, RedirectStandardOutput = true };
        foreach (string one in (string[])[Path.Combine(AppContext.BaseDirectory, "r1.dll"), "model", "build", checkpoint, "--output", target, "--precision", "fp32,fp16", "--precision", "int8"])
            start.ArgumentList.Add(one);
        return Process.Start(start)!;
    }
}
