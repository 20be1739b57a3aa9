using System.Diagnostics;
using R1Serverless.ModelRegistry;

namespace R1Serverless.Tests.ModelRegistry;

/// <summary>A process that fetches, killed again and again (SIGKILL).</summary>
public sealed class KilledFetchTests(ITestOutputHelper output) : IDisposable
{
    private const int Kills = 20, Ranges = 60, Range = VersionFetch.RangeBytes;

    private readonly DeliveryWorld _world = new();

    [Fact]
    public async Task Killed_twenty_times_in_the_middle_a_fetch_goes_on_and_gives_no_bad_load()
    {
        var seed = Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        Random random = new(seed);
        (string, int, int)[] files = [("weights.bin", seed, Ranges * Range), ("config.json", 7, 1000), ("tokenizer.json", 8, Range + 1)];
        var manifest = await _world.PushAsync("1", files);
        string key = (await _world.Repository.FindAsync(DeliveryWorld.Model, "1", CancellationToken.None))!.Value.Key,
            partial = Path.Combine(_world.CacheFolder, "partial", key);

        int killed = 0, asked = 0, sure = 0;
        HashSet<string> done = [];
        while (true)
        {
            // Of the last one no more than a few lines of reading pass before its end.
            var dieAfter = killed < Kills ? random.Next(1, 4) : int.MaxValue;
            // Half of them die over one range, the ones before it journalled; half with whatever is under way just then.
            int journalled = killed % 2 == 0 && killed < Kills ? dieAfter - 1 : 0, there = done.Count;
            var (isDone, reads) = await RunAsync(dieAfter, journalled, () => Journal(partial, manifest).Count() >= there + journalled);
            sure += journalled;
            asked += reads.Count;
            Assert.Empty(reads.Intersect(done));
            if (isDone) break;
            killed++;
            // Whatever stands in the place of versions is whole, or nothing does.
            Assert.Empty(VersionFolders());
            foreach (var range in Journal(partial, manifest)) done.Add(range);
        }

        output.WriteLine($"{killed} kills, {asked} ranges asked for, of {Ranges + 3}; {done.Count} were there before the last try");
        Assert.Equal(Kills, killed);
        // What was there is what the last try did not ask for again.
        Assert.InRange(done.Count, Math.Max(1, sure), Ranges);
        Assert.InRange(asked, Ranges + 3, Ranges + 3 + Kills * VersionFetch.Parallel);
        using var fetched = await _world.FetchAsync("1");
        Assert.Empty(_world.Store.Reads);
        foreach (var (path, content, bytes) in files) Assert.Equal(DeliveryWorld.Content(content, bytes),
            await File.ReadAllBytesAsync(Path.Combine(fetched.Path, path)));
    }

    public void Dispose() => _world.Dispose();

    private string[] VersionFolders() =>
        Directory.Exists(Path.Combine(_world.CacheFolder, "versions")) ? Directory.GetDirectories(Path.Combine(_world.CacheFolder, "versions")) : [];

    /// <summary>What the journal says is there, as the child says what it reads.</summary>
    private static IEnumerable<string> Journal(string partial, VersionManifest manifest)
    {
        var path = Path.Combine(partial, FetchJournal.FileName);
        var text = File.Exists(path) ? File.ReadAllText(path) : "";
        foreach (var line in text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = line.Split(' ');
            yield return $"{parts[1]} {manifest.Files[int.Parse(parts[0])].Path}";
        }
    }

    /// <param name="first">Of the ranges, so many that it may ask for no other before <paramref name="areJournalled"/>.</param>
    private async Task<(bool IsDone, List<string> Reads)> RunAsync(int dieAfter, int first, Func<bool> areJournalled)
    {
        ProcessStartInfo start = new("dotnet") { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var one in (string[])[typeof(KilledFetchTests).Assembly.Location, FetchChild.Command, _world.RepositoryFolder,
            _world.CacheFolder, "1"]) start.ArgumentList.Add(one);
        using var child = Process.Start(start)!;
        // Not one range more than until its end, however late that comes.
        child.StandardInput.AutoFlush = true;
        if (first > 0)
        {
            await child.StandardInput.WriteAsync(new string('\n', first));
            await Eventually.HoldsAsync(areJournalled, $"the journal of {first} ranges more");
        }

        if (dieAfter < int.MaxValue) await child.StandardInput.WriteAsync(new string('\n', dieAfter - first));
        else child.StandardInput.Close();
        List<string> reads = [];
        bool isDone = false, isKilled = false;
        while (await child.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("fetched ", StringComparison.Ordinal)) isDone = true;
            if (line.StartsWith("read ", StringComparison.Ordinal)) reads.Add(line["read ".Length..]);
            if (reads.Count < dieAfter || isKilled) continue;
            child.Kill();
            isKilled = true;
        }

        await child.WaitForExitAsync();
        return (isDone, reads);
    }
}
