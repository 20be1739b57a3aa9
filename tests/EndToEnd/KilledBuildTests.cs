using System.Diagnostics;
using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.ModelBuilder;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>`r1 model build` in a process of its own, killed without a chance to tidy up.</summary>
public sealed class KilledBuildTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private readonly string _folder = Directory.CreateTempSubdirectory("r1-killed-").FullName;

    [Fact]
    public async Task A_killed_build_leaves_the_old_model_whole_and_the_next_build_tidies_up()
    {
        string checkpoint = Path.Combine(_folder, "checkpoint"), target = Path.Combine(_folder, "models", "mine");
        // Large enough not to be done before it is killed.
        SyntheticCheckpoint.Write(checkpoint, new SyntheticShape(512, 8, 8, 2, 64, 2304, 16000, 4096), ReferenceCheckpoints.Folder("qwen2"));
        var old = CheckpointBuilder.Build(ReferenceCheckpoints.Folder("llama"), target, "mine", TimeProvider.System);

        using var build = Start(checkpoint, target);
        var half = await WritingAsync(Path.GetDirectoryName(target)!, target, build);
        build.Kill();
        await build.WaitForExitAsync(TestContext.Current.CancellationToken);

        // 128 + SIGKILL: it ended by that, and not by itself before.
        Assert.Equal(137, build.ExitCode);
        Assert.True(Directory.Exists(half));
        Assert.Equal(old.Manifest.Created, ModelFolder.Open(target).Manifest.Created);
        Assert.Equal(["mine"], new ModelRepository(Path.GetDirectoryName(target)!).Names());

        var next = CheckpointBuilder.Build(checkpoint, target, "mine", TimeProvider.System, [Precision.Int4], progress: null,
            TestContext.Current.CancellationToken);
        Assert.Equal(Precision.Int4, Assert.Single(next.Manifest.Variants).Precision);
        Assert.Equal([target], Directory.GetFileSystemEntries(Path.GetDirectoryName(target)!));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>The folder beside the model in which weights are being written. Looked for by polling: a watcher misses what is made before it
    /// watches the new folder.</summary>
    private static async Task<string> WritingAsync(string models, string target, Process build)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Patience);
        while (true)
        {
            Assert.False(build.HasExited, "The build ended before it was killed.");
            var weights = Directory.EnumerateFiles(models, "*.onnx.data", SearchOption.AllDirectories)
                .FirstOrDefault(file => !file.StartsWith(target + Path.DirectorySeparatorChar, StringComparison.Ordinal));
            if (weights is not null) return Path.GetDirectoryName(weights)!;
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, limit.Token);
        }
    }

    private static Process Start(string checkpoint, string target)
    {
        ProcessStartInfo start = new("dotnet") { UseShellExecute = false, RedirectStandardOutput = true };
        foreach (var one in (string[])[Path.Combine(AppContext.BaseDirectory, "r1.dll"), "model", "build", checkpoint, "--output", target,
            "--precision", "fp32,fp16", "--precision", "int8"])
            start.ArgumentList.Add(one);
        return Process.Start(start)!;
    }
}
