using System.Diagnostics;

namespace R1Serverless.Tests.ModelRegistry;

/// <summary>A cache on a disk that is mounted read-only, in a mount namespace of the child's own.</summary>
public sealed class ReadOnlyCacheTests : IDisposable
{
    private const string Mount = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" && ";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly DeliveryWorld _world = new();

    [Fact]
    public async Task A_version_that_is_there_is_used_also_where_its_files_are_not_marked()
    {
        await SkipWithoutMounts();
        await _world.PushAsync("1", ("weights.bin", 1, 1000));
        string path;
        using (var fetched = await _world.FetchAsync("1")) path = fetched.Path;
        // As copied by hand.
        File.SetLastWriteTimeUtc(Path.Combine(path, "weights.bin"), DateTime.UnixEpoch);

        var (code, output, errors) = await FetchAsync("1");

        Assert.Equal((0, "fetched " + path), (code, output.Trim()));
        Assert.Empty(errors);
    }

    [Fact]
    public async Task One_that_is_not_there_is_refused_at_once_with_what_to_do()
    {
        await SkipWithoutMounts();
        foreach (var version in (string[])["1", "2"]) await _world.PushAsync(version, ("weights.bin", int.Parse(version), 1000));
        (await _world.FetchAsync("1")).Dispose();

        var (code, _, errors) = await FetchAsync("2");

        Assert.NotEqual(0, code);
        Assert.Contains($"The cache of models in {_world.CacheFolder} can't be written: Read-only file system", errors, StringComparison.Ordinal);
        Assert.Contains("Choose another --data.", errors, StringComparison.Ordinal);
    }

    public void Dispose() => _world.Dispose();

    private async Task SkipWithoutMounts()
    {
        Directory.CreateDirectory(_world.CacheFolder);
        var canMount = OperatingSystem.IsLinux() && (await RunAsync(Mount + "! touch \"$0/x\"")).Code == 0;
        Assert.SkipUnless(canMount, "This user may mount nothing, not even in a namespace.");
    }

    private Task<(int Code, string Output, string Errors)> FetchAsync(string version) => RunAsync(
        Mount + "exec dotnet \"$@\"", typeof(ReadOnlyCacheTests).Assembly.Location, FetchChild.Command, _world.RepositoryFolder, _world.CacheFolder,
        version);

    private async Task<(int Code, string Output, string Errors)> RunAsync(string script, params string[] arguments)
    {
        ProcessStartInfo start = new("unshare") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var one in (string[])["--map-root-user", "--mount", "sh", "-c", script, _world.CacheFolder, .. arguments])
            start.ArgumentList.Add(one);
        using var child = Process.Start(start)!;
        using CancellationTokenSource late = new(Patience);
        try
        {
            Task<string> output = child.StandardOutput.ReadToEndAsync(late.Token), errors = child.StandardError.ReadToEndAsync(late.Token);
            await child.WaitForExitAsync(late.Token);
            return (child.ExitCode, await output, await errors);
        }
        finally
        {
            if (!child.HasExited) child.Kill(entireProcessTree: true);
        }
    }
}
