using System.Diagnostics;
using System.Globalization;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>A quantity with and without sharing, milliseconds or tokens per second; medians of rounds that took turns.</summary>
internal sealed record PrefixRow(string What, double Apart, double Shared)
{
    public double Ratio => Apart / Shared;
}

/// <summary>What shared prefixes save, through the engine: each figure with sharing and without it, in turns.</summary>
internal sealed class PrefixBench(ModelFolder folder, ModelVariant variant, int rounds, int shared, CancellationToken cancellation)
{
    private const long LittleMemory = 160L << 20;

    private readonly Random _random = new(1);

    /// <param name="only">Part of a row's name; rows without it are not measured.</param>
    public async Task<IReadOnlyList<PrefixRow>> RunAsync(string only, Action<string> progress)
    {
        await using var apart = Open(PrefixSharing.Off);
        await using var sharing = Open(PrefixSharing.Key);
        if (!sharing.Variants[0].SharesPrefixes) throw new InvalidOperationException("This machine rounds otherwise: nothing is shared.");
        List<PrefixRow> rows = [];
        foreach (var (what, measure) in Alike().Concat(Unalike()))
        {
            if (!what.Contains(only, StringComparison.OrdinalIgnoreCase)) continue;
            progress(what);
            rows.Add(await CompareAsync(what, apart, sharing, measure));
        }

        await using var apartInLittle = Open(PrefixSharing.Off, LittleMemory);
        await using var sharingInLittle = Open(PrefixSharing.Key, LittleMemory);
        foreach (var (name, measure) in Unalike())
        {
            var what = $"{name}, memory used before";
            if (!what.Contains(only, StringComparison.OrdinalIgnoreCase)) continue;
            progress(what);
            // As it soon is where prompts have nothing in common.
            foreach (var inference in (LocalInference[])[apartInLittle, sharingInLittle])
            {
                for (var used = 0; used < 12; used++) await FirstTokenAsync(inference, Tokens(shared));
            }

            rows.Add(await CompareAsync(what, apartInLittle, sharingInLittle, measure));
        }

        var restarted = $"first token after a restart, {shared} + 64 tokens on the disk, ms";
        if (restarted.Contains(only, StringComparison.OrdinalIgnoreCase))
        {
            progress(restarted);
            rows.Add(await RestartedAsync(restarted, apart));
        }

        foreach (var (count, own) in ((int, int)[])[(3, 16), (8, 64), (16, 64)])
        {
            var what = $"memory of {count} requests, {shared} + {own} tokens, MB";
            if (!what.Contains(only, StringComparison.OrdinalIgnoreCase)) continue;
            progress(what);
            rows.Add(new PrefixRow(what, await MemoryAsync(PrefixSharing.Off, count, own), await MemoryAsync(PrefixSharing.Key, count, own)));
        }

        return rows;
    }

    private IEnumerable<(string What, Func<LocalInference, int[], Task<double>> Measure)> Alike()
    {
        foreach (var own in (int[])[64, 128])
        {
            yield return ($"first token, {shared} + {own} tokens, ms", async (inference, prefix) =>
            {
                await FirstTokenAsync(inference, [.. prefix, .. Tokens(2)]);
                return await FirstTokenAsync(inference, [.. prefix, .. Tokens(own)]);
            }
            );
        }

        yield return ($"last first token of 16 at once, {shared} + 64 tokens, ms", async (inference, prefix) =>
            (await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => FirstTokenAsync(inference, [.. prefix, .. Tokens(64)])))).Max());
        yield return ($"n = 4 of {shared} tokens, 1 token each, ms", (inference, prefix) => FirstTokenAsync(inference, prefix, choices: 4));
        yield return ("first tokens of a conversation of 10 turns of 200 tokens, ms", async (inference, prefix) =>
        {
            var sum = 0.0;
            for (var turn = 1; turn <= 10; turn++) sum += await FirstTokenAsync(inference, prefix[..(turn * 200)]);
            return sum;
        }
        );
        yield return ($"decode of 8 requests on {shared} tokens, 64 tokens each, ms", async (inference, prefix) =>
        {
            await FirstTokenAsync(inference, [.. prefix, .. Tokens(2)]);
            return (await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => DecodeAsync(inference, [.. prefix, .. Tokens(16)], 64)))).Average();
        }
        );
    }

    private IEnumerable<(string What, Func<LocalInference, int[], Task<double>> Measure)> Unalike()
    {
        yield return ($"n = 1 of {shared} tokens that nobody shares, ms", (inference, prefix) => FirstTokenAsync(inference, prefix));
        yield return ("32 prompts of 200 tokens with nothing in common, 32 tokens each, ms", UnalikeAsync);
    }

    /// <summary>Of an engine that finds the prefix in the file that the one before it has left.</summary>
    private async Task<PrefixRow> RestartedAsync(string what, LocalInference apart)
    {
        List<double> without = [], with = [];
        var place = Directory.CreateTempSubdirectory("r1-bench-").FullName;
        try
        {
            for (var round = 0; round < rounds; round++)
            {
                var prefix = Tokens(shared);
                await using (var before = Open(PrefixSharing.Key, place: place)) await FirstTokenAsync(before, [.. prefix, .. Tokens(2)]);
                await using var after = Open(PrefixSharing.Key, place: place);
                await FirstTokenAsync(after, Tokens(600));
                with.Add(await FirstTokenAsync(after, [.. prefix, .. Tokens(64)]));
                without.Add(await FirstTokenAsync(apart, [.. prefix, .. Tokens(64)]));
            }
        }
        finally
        {
            Directory.Delete(place, recursive: true);
        }

        return new PrefixRow(what, ColdStartRow.MedianOf(without), ColdStartRow.MedianOf(with));
    }

    private async Task<double> UnalikeAsync(LocalInference inference, int[] prefix)
    {
        var began = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => FirstTokenAsync(inference, Tokens(200), tokens: 32)));
        return Stopwatch.GetElapsedTime(began).TotalMilliseconds;
    }

    /// <summary>Megabytes that a fresh engine takes for keys and values of requests that run at once, once each has some tokens.</summary>
    private async Task<double> MemoryAsync(PrefixSharing sharing, int count, int own)
    {
        await using var inference = Open(sharing);
        await FirstTokenAsync(inference, Tokens(64 + own));
        var before = KvMemory();
        var prefix = Tokens(shared);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        using CountdownEvent generating = new(count);
        var running = Enumerable.Range(0, count).Select(_ => GenerateAsync(inference, [.. prefix, .. Tokens(own)], generating, stop.Token)).ToArray();
        await Task.Run(() => generating.Wait(cancellation), cancellation);
        var after = KvMemory();
        await stop.CancelAsync();
        await Task.WhenAll(running);
        return (after - before) / 1e6;
    }

    /// <summary>Signals after some tokens, and goes on until it is stopped.</summary>
    private static async Task GenerateAsync(LocalInference inference, int[] prompt, CountdownEvent generating, CancellationToken stop)
    {
        InferenceRequest request = new()
        {
            Id = RequestId.New(), Model = inference.Variants[0].Id, Prompt = new Prompt.Tokens(prompt), MaxTokens = 1500, IgnoreEndOfSequence = true,
        };
        var deltas = 0;
        try
        {
            await foreach (var inferenceEvent in inference.RunAsync(request, stop))
            {
                if (inferenceEvent is InferenceEvent.Failed failed) throw new InvalidOperationException(failed.Error.Message);
                if (++deltas == 4) generating.Signal();
            }
        }
        catch (OperationCanceledException)
        {
            // Measured.
        }
    }

    /// <summary>Bytes of this process's share (PSS) of the pages with keys and values: those of slots, which are in no core dump, and those of kept
    /// prefixes, by the name of their file (proc(5), smaps). Pages that lie at several places count once.</summary>
    private static double KvMemory()
    {
        var (all, last, isPrefixes, isWritten) = (0L, 0L, false, false);
        foreach (var line in File.ReadLines("/proc/self/smaps"))
        {
            if (line.StartsWith("Pss:", StringComparison.Ordinal))
                last = long.Parse(line.AsSpan(4, line.Length - 6), CultureInfo.InvariantCulture);
            else if (line.StartsWith("VmFlags:", StringComparison.Ordinal))
                all += isPrefixes || (isWritten && line.Contains(" dd", StringComparison.Ordinal)) ? last : 0;
            else if (line.AsSpan(0, line.IndexOf(' ', StringComparison.Ordinal)).Contains('-'))
                (isPrefixes, isWritten) = (line.Contains("r1-prefixes", StringComparison.Ordinal), line.Contains(" rw-p ", StringComparison.Ordinal));
        }

        return all * 1024.0;
    }

    private LocalInference Open(PrefixSharing sharing, long memory = 4L << 30, string? place = null) => new(
        [LoadedVariant.OpenAlone(folder, variant, new RuntimeOptions(),
            new EngineOptions { PrefixSharing = sharing, KvMemory = memory, PrefixFolder = place, PrefixFileBytes = 4L << 30 },
            TimeProvider.System)]);

    /// <summary>Each round with a prefix that nobody has sent before.</summary>
    private async Task<PrefixRow> CompareAsync(string what, LocalInference apart, LocalInference sharing,
        Func<LocalInference, int[], Task<double>> measure)
    {
        List<double> without = [], with = [];
        for (var round = 0; round <= rounds; round++)
        {
            var prefix = Tokens(shared);
            var (one, other) = round % 2 == 0 ? (apart, sharing) : (sharing, apart);
            var (first, second) = (await measure(one, prefix), await measure(other, prefix));
            // The first touches memory that is new.
            if (round == 0) continue;
            without.Add(one == apart ? first : second);
            with.Add(one == apart ? second : first);
        }

        return new PrefixRow(what, ColdStartRow.MedianOf(without), ColdStartRow.MedianOf(with));
    }

    private int[] Tokens(int count) => [.. Enumerable.Range(0, count).Select(_ => _random.Next(folder.Config.VocabularySize))];

    /// <summary>Milliseconds from the eighth token to the last, when all others are in as well.</summary>
    private async Task<double> DecodeAsync(LocalInference inference, int[] prompt, int tokens)
    {
        InferenceRequest request = new()
        {
            Id = RequestId.New(), Model = inference.Variants[0].Id, Prompt = new Prompt.Tokens(prompt), MaxTokens = tokens, IgnoreEndOfSequence = true,
        };
        var (deltas, began) = (0, 0L);
        await foreach (var inferenceEvent in inference.RunAsync(request, cancellation))
        {
            if (inferenceEvent is InferenceEvent.Failed failed) throw new InvalidOperationException(failed.Error.Message);
            if (++deltas == 8) began = Stopwatch.GetTimestamp();
        }

        return Stopwatch.GetElapsedTime(began).TotalMilliseconds;
    }

    /// <summary>Milliseconds to the first token; of several choices or tokens, to the end.</summary>
    private async Task<double> FirstTokenAsync(LocalInference inference, int[] prompt, int choices = 1, int tokens = 1)
    {
        InferenceRequest request = new()
        {
            Id = RequestId.New(), Model = inference.Variants[0].Id, Prompt = new Prompt.Tokens(prompt), MaxTokens = tokens, Choices = choices,
            IgnoreEndOfSequence = true,
        };
        var began = Stopwatch.GetTimestamp();
        await foreach (var inferenceEvent in inference.RunAsync(request, cancellation))
        {
            if (inferenceEvent is InferenceEvent.Failed failed) throw new InvalidOperationException(failed.Error.Message);
        }

        return Stopwatch.GetElapsedTime(began).TotalMilliseconds;
    }
}
