using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.EndToEnd;
using R1Serverless.Tests.ModelBuilder.Tensors;
using Tensor = R1Serverless.Abstractions.Tensors.Tensor;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>What a round of `bench tensors` measures, in turn, so that the machine's moods strike all alike.</summary>
internal static class TensorServingBench
{
    private const int Shortest = 4, Longest = 82, PaddedBatch = 16;

    private static readonly TimeSpan Measured = TimeSpan.FromSeconds(2);

    /// <summary>Runs at once of the raw loop, which share the cores (null for one per core), and rows of a run: its best is the raw rate.</summary>
    private static readonly (int? Lanes, int Rows)[] RawLayouts = [(1, 1), (null, 1), (null, 8), (1, 8), (null, 32)];

    public static async Task<TensorServingReport> RunAsync(string folder, int rounds, int tokens, int clients, CancellationToken cancellation)
    {
        var model = ModelFolder.Open(folder);
        var graph = model.GraphPath(model.Manifest.Variants[0]);
        await using LocalInference engine =
            new([LoadedVariant.OpenAlone(model, model.Manifest.Variants[0], new RuntimeOptions(), new EngineOptions(), TimeProvider.System)]);
        await using var server = await ServeProcess.StartAsync("--model", folder, "--threads", $"{Environment.ProcessorCount}");
        TensorClient http = new(server.Client, model.Name);
        var text = Text(tokens, 1);
        Dictionary<string, List<double>> found = new(StringComparer.Ordinal);
        var random = new Random(1);
        IReadOnlyList<Tensor>[] mixed = [.. Enumerable.Range(0, 512).Select(i => Text(random.Next(Shortest, Longest + 1), i))];
        for (var round = 0; round < rounds; round++)
        {
            cancellation.ThrowIfCancellationRequested();
            Add("raw, its best layout", RawLayouts.Max(layout => Raw(graph, layout.Lanes ?? Environment.ProcessorCount, tokens, layout.Rows)));
            Add($"engine, {clients} at once", await RateAsync(clients, (_, stop) => AskAsync(engine, model.Name, text, stop)));
            Add($"binary HTTP, {clients} at once", await RateAsync(clients, (_, stop) => http.AskAsync(text, stop)));
            Add($"mixed {Shortest} to {Longest} tokens: padded batches of {PaddedBatch} in order", Padded(graph, mixed));
            Add("mixed: ONNX Runtime, one by one on each core", OneByOne(graph, mixed));
            Add("mixed: engine", await RateAsync(clients, (i, stop) => AskAsync(engine, model.Name, mixed[i % mixed.Length], stop)));
        }

        var rates = found.Select(one => (one.Key, Median(one.Value))).ToList();
        var half = rates[0].Item2 / 2;
        using var alone = Open(graph, 1);
        (string Name, Func<CancellationToken, Task> AskAsync, List<double> Milliseconds)[] ways =
        [
            ("ONNX Runtime", stop => Task.Run(() => Run(alone, text), stop), []),
            ("the engine", stop => AskAsync(engine, model.Name, text, stop), []),
            ("binary HTTP", stop => http.AskAsync(text, stop), []),
        ];
        for (var round = 0; round < rounds; round++)
        {
            foreach (var way in ways) way.Milliseconds.AddRange(await TensorClient.LatenciesAsync(way.AskAsync, half, Measured, cancellation));
        }

        return new TensorServingReport(rates[..3], rates[3..], half, [.. ways.Select(way => Quantiles(way.Name, way.Milliseconds))]);

        void Add(string name, double rate)
        {
            if (!found.TryGetValue(name, out var all)) found.Add(name, all = []);
            all.Add(rate);
        }
    }

    private static IReadOnlyList<Tensor> Text(int tokens, int seed) => PackagedModels.Tokens(
        [[101, .. Enumerable.Range(0, tokens - 2).Select(i => 1000L + (seed * 131 % 5000) + (i * 31)), 102]]);

    private static async Task AskAsync(LocalInference engine, string model, IReadOnlyList<Tensor> inputs, CancellationToken stop)
    {
        InferenceRequest request = new() { Id = RequestId.New(), Model = model, Prompt = new Prompt.Tensors(inputs) };
        await foreach (var inferenceEvent in engine.RunAsync(request, stop))
        {
            if (inferenceEvent is InferenceEvent.Failed { Error.Message: var fault }) throw new InvalidOperationException(fault);
        }
    }

    /// <summary>Requests per second of so many clients, each asking again when it is answered.</summary>
    private static async Task<double> RateAsync(int clients, Func<int, CancellationToken, Task> askAsync)
    {
        var (asked, done) = (0, 0);
        var began = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, clients).Select(async _ =>
        {
            while (Stopwatch.GetElapsedTime(began) < Measured)
            {
                await askAsync(Interlocked.Increment(ref asked), CancellationToken.None);
                Interlocked.Increment(ref done);
            }
        }));
        return done / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private static double Raw(string graph, int lanes, int tokens, int rows)
    {
        using var session = Open(graph, Environment.ProcessorCount / lanes);
        var inputs = Together([.. Enumerable.Range(0, rows).Select(row => Text(tokens, row))]);
        Run(session, inputs);
        var runs = 0;
        var began = Stopwatch.GetTimestamp();
        Parallel.For(0, lanes, _ =>
        {
            while (Stopwatch.GetElapsedTime(began) < Measured / 2)
            {
                Run(session, inputs);
                Interlocked.Increment(ref runs);
            }
        });
        return runs * rows / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    /// <summary>What a plain batcher does: the next sixteen in the order of arrival, padded to the longest of them.</summary>
    private static double Padded(string graph, IReadOnlyList<Tensor>[] texts)
    {
        using var session = Open(graph, Environment.ProcessorCount);
        var done = 0;
        var began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) < Measured)
        {
            Run(session, Together([.. Enumerable.Range(done, PaddedBatch).Select(i => texts[i % texts.Length])]));
            done += PaddedBatch;
        }

        return done / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    /// <summary>Rows of different lengths, padded with zeros: tokens that the mask hides.</summary>
    private static IReadOnlyList<Tensor> Together(IReadOnlyList<Tensor>[] rows)
    {
        var longest = (int)rows.Max(row => row[0].Shape[1]);
        return [.. rows[0].Select((input, at) =>
        {
            var data = new byte[rows.Length * longest * sizeof(long)];
            for (var row = 0; row < rows.Length; row++) rows[row][at].Data.CopyTo(data.AsMemory(row * longest * sizeof(long)));
            return input with { Shape = [rows.Length, longest], Data = data };
        })];
    }

    /// <summary>The most that runs of exact lengths can do: texts of those lengths, each in a run of its own.</summary>
    private static double OneByOne(string graph, IReadOnlyList<Tensor>[] texts)
    {
        using var session = Open(graph, 1);
        var (taken, done) = (-1, 0);
        var began = Stopwatch.GetTimestamp();
        Parallel.For(0, Environment.ProcessorCount, _ =>
        {
            while (Stopwatch.GetElapsedTime(began) < Measured)
            {
                Run(session, texts[Interlocked.Increment(ref taken) % texts.Length]);
                Interlocked.Increment(ref done);
            }
        });
        return done / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private static TensorLatency Quantiles(string way, List<double> milliseconds)
    {
        milliseconds.Sort();
        return new TensorLatency(way, milliseconds[milliseconds.Count / 2], milliseconds[milliseconds.Count * 99 / 100]);
    }

    private static InferenceSession Open(string graph, int threads)
    {
        using SessionOptions options = new() { IntraOpNumThreads = threads };
        return new InferenceSession(graph, options);
    }

    private static void Run(InferenceSession session, IReadOnlyList<Tensor> inputs)
    {
        using RunOptions options = new();
        List<OrtValue> values = [.. inputs.Select(input =>
            OrtValue.CreateTensorValueFromMemory(MemoryMarshal.Cast<byte, long>(input.Data.Span).ToArray(), [.. input.Shape]))];
        using var outputs = session.Run(options, [.. inputs.Select(input => input.Name)], values, session.OutputNames);
        foreach (var value in values) value.Dispose();
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
}

/// <param name="Rates">Texts per second, the raw rate first.</param>
/// <param name="Mixed">The same of mixed lengths, the padding batcher's first.</param>
/// <param name="HalfRate">Texts per second, half of the raw rate.</param>
/// <param name="Latencies">At that rate.</param>
internal sealed record TensorServingReport(
    IReadOnlyList<(string Name, double Rate)> Rates, IReadOnlyList<(string Name, double Rate)> Mixed, double HalfRate,
    IReadOnlyList<TensorLatency> Latencies);

/// <summary>Milliseconds from a request to its answer.</summary>
internal sealed record TensorLatency(string Way, double P50, double P99);
