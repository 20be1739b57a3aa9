using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime;
using R1Serverless.Tests.Engine.Tensors;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>What `bench series` measures: a server of its own, and beside it ONNX Runtime in this process.</summary>
internal static class SeriesBench
{
    private const int Steps = 64, Width = 16, Channels = 32;

    /// <returns>Milliseconds of each decision, by what took them.</returns>
    public static async Task<IReadOnlyList<(string Name, IReadOnlyList<double> Times)>> RunAsync(int rate, int series, TimeSpan duration,
        CancellationToken cancellation)
    {
        using var folder = TensorFolder.Convolutions(Width, Steps, Channels)
            .With("r1-series.json", """{"window":{"axis":2},"threshold":0.5}""");
        await using var server = await R1Server.StartAsync(
            null, ["--model", folder.Path, "--threads", $"{Environment.ProcessorCount}"], ChildProcess.NoSettings, TimeProvider.System, cancellation);
        using HttpClient client = new() { BaseAddress = server.Address };
        var model = System.IO.Path.GetFileName(folder.Path);
        var random = new Random(1);
        // The windows are full before the first event is timed.
        for (var key = 0; key < series; key++)
            await AskAsync(client, Body(model, key, 0, string.Join(',', Enumerable.Range(0, Steps).Select(_ => Event(random)))), cancellation);
        List<double> round = [], ran = [], total = [];
        var gate = new Lock();
        var asked = 0;
        await PacedAsync(rate, duration, async () =>
        {
            var number = Interlocked.Increment(ref asked) - 1;
            var body = Body(model, number % series, Steps + (number / series), Event(random));
            var sent = Stopwatch.GetTimestamp();
            var timings = await AskAsync(client, body, cancellation);
            lock (gate)
            {
                round.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
                ran.Add(timings.GetProperty("run_ms").GetDouble());
                total.Add(timings.GetProperty("total_ms").GetDouble());
            }
        }, cancellation);
        return [("HTTP request", round), ("in the server", total), ("its run", ran),
            ("raw run", await RawAsync(folder.Path, rate, duration / 3, random, cancellation))];
    }

    /// <summary>Begins so many per second, whether or not earlier ones have ended.</summary>
    private static async Task PacedAsync(int rate, TimeSpan duration, Func<Task> begin, CancellationToken cancellation)
    {
        List<Task> begun = [];
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(1));
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < duration && await timer.WaitForNextTickAsync(cancellation))
        {
            while (begun.Count < Stopwatch.GetElapsedTime(start).TotalSeconds * rate) begun.Add(begin());
        }

        await Task.WhenAll(begun);
    }

    private static async Task<JsonElement> AskAsync(HttpClient client, string body, CancellationToken cancellation)
    {
        using StringContent content = new(body, Encoding.UTF8, "application/json");
        using var response = await client.PostAsync(new Uri("v1/series", UriKind.Relative), content, cancellation);
        var answer = await response.Content.ReadAsByteArrayAsync(cancellation);
        using var document = JsonDocument.Parse(answer);
        return response.IsSuccessStatusCode && document.RootElement.GetProperty("ready").GetBoolean()
            ? document.RootElement.GetProperty("timings").Clone() : throw new InvalidOperationException(Encoding.UTF8.GetString(answer));
    }

    private static string Body(string model, int key, long sequence, string values) =>
        $"{{\"model\":\"{model}\",\"key\":\"{key}\",\"sequence\":{sequence},\"values\":[{values}]}}";

    private static string Event(Random random)
    {
        float[] values;
        lock (random) values = [.. Enumerable.Range(0, Width).Select(_ => random.NextSingle())];
        return $"[{string.Join(',', values.Select(one => one.ToString(CultureInfo.InvariantCulture)))}]";
    }

    private static async Task<List<double>> RawAsync(string folder, int rate, TimeSpan duration, Random random, CancellationToken cancellation)
    {
        using SessionOptions options = new() { IntraOpNumThreads = 1 };
        using InferenceSession session = new(System.IO.Path.Combine(folder, "model.onnx"), options);
        using RunOptions run = new();
        List<double> times = [];
        var window = new float[Steps * Width];
        await PacedAsync(rate, duration, () =>
        {
            for (var i = 0; i < window.Length; i++) window[i] = random.NextSingle();
            using var input = OrtValue.CreateTensorValueFromMemory(window, [1, Width, Steps]);
            var began = Stopwatch.GetTimestamp();
            using var outputs = session.Run(run, ["x"], [input], ["y"]);
            times.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            return Task.CompletedTask;
        }, cancellation);
        return times;
    }
}
