using Microsoft.ML.OnnxRuntime;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Series;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.Models.Folders;
using R1Serverless.Scheduling.Series;
using R1Serverless.Tests.Engine.Tensors;

namespace R1Serverless.Tests.Engine.Series;

/// <summary>Events of series through the engine, beside ONNX Runtime itself over the same windows.</summary>
public sealed class SeriesInferenceTests
{
    internal const int Steps = 8, Width = 16;

    internal const string WindowFile = """{"window":{},"threshold":0.5}""";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Scores_are_those_of_the_windows_bit_for_bit_however_many_series_share_a_run()
    {
        using var folder = TensorFolder.Window(Steps, Width).With("r1-series.json", WindowFile);
        await using var inference = Open(folder, out var model);
        Assert.True(model.Signature!.IsBatched, model.Signature.NotBatched);
        using InferenceSession raw = new(System.IO.Path.Combine(folder.Path, "model.onnx"));
        await Task.WhenAll(Enumerable.Range(0, 40).Select(async key =>
        {
            var events = Events(key, 30);
            var at = 0;
            foreach (var count in (int[])[1, 6, 1, 5, 1, 1, 15])
            {
                var (answer, error) = await SendAsync(inference, model.Id, $"{key}", events[at..(at + count)]);
                Assert.Null(error);
                Assert.Equal((at, at + count), (answer!.First, answer.Next));
                at += count;
                var full = Enumerable.Range(at - count, count).Where(last => last >= Steps - 1).ToArray();
                Assert.Equal(full.Select(last => (long)last), answer.Decisions.Select(decision => decision.Event));
                foreach (var (last, decision) in full.Zip(answer.Decisions))
                    Assert.Equal(Raw(raw, events[(last + 1 - Steps)..(last + 1)]), (float)decision.Score!);
                Assert.Equal((Math.Max(Steps - at, 1), Math.Min(at, Steps), 0.5), (answer.Missing, answer.Steps, answer.Threshold));
            }
        }));
    }

    [Fact]
    public async Task A_state_goes_from_event_to_event_without_a_word_in_the_folder()
    {
        using var folder = TensorFolder.Recurrent(2);
        await using var inference = Open(folder, out var model);
        float[] state = [0, 0];
        var events = Events(1, 20, 2);
        for (var i = 0; i < events.Length; i += 2)
        {
            var (answer, error) = await SendAsync(inference, model.Id, "k", events[i..(i + 2)]);
            Assert.Null(error);
            Assert.Equal(2, answer!.Decisions.Count);
            for (var j = 0; j < 2; j++)
            {
                state = [(state[0] * 0.5f) + (float)events[i + j][0], (state[1] * 0.5f) + (float)events[i + j][1]];
                Assert.Equal(state[0] + state[1], (float)answer.Decisions[j].Score!);
            }
        }
    }

    [Fact]
    public async Task What_comes_twice_is_taken_once_and_answered_alike()
    {
        using var folder = TensorFolder.Recurrent(1);
        await using var inference = Open(folder, out var model);
        var (first, _) = await SendAsync(inference, model.Id, "k", [[1], [2]], sequence: 0);
        var (again, _) = await SendAsync(inference, model.Id, "k", [[1], [2]], sequence: 0);
        Assert.Equal(first!.Decisions, again!.Decisions);
        Assert.Equal((false, true, 2L), (first.IsRepeated, again.IsRepeated, again.Next));
        var (next, _) = await SendAsync(inference, model.Id, "k", [[4]], sequence: 2);
        // (0.5 + 2) / 2 + 4: the second delivery left no trace.
        Assert.Equal(5.25, Assert.Single(next!.Decisions).Score);

        foreach (var (events, sequence, kind) in ((double[][], long, InferenceErrorKind)[])
            [([[1], [2]], 0, InferenceErrorKind.SequencePassed), ([[5]], 2, InferenceErrorKind.SequencePassed),
                ([[5]], 4, InferenceErrorKind.WindowMissing)])
        {
            var (_, error) = await SendAsync(inference, model.Id, "k", events, sequence);
            Assert.Equal(kind, error!.Kind);
        }

        (next, _) = await SendAsync(inference, model.Id, "k", [[0]], sequence: 3);
        Assert.Equal(2.625, Assert.Single(next!.Decisions).Score);
    }

    [Fact]
    public async Task What_has_left_is_rebuilt_from_the_client_s_history()
    {
        using var folder = TensorFolder.Window(Steps, Width).With("r1-series.json", """{"window":{"stride":3},"threshold":0.5}""");
        await using var inference = Open(folder, out var model, new SeriesLimits(1, 1 << 20, TimeSpan.FromHours(1)));
        var events = Events(3, 30);
        List<SeriesDecision> expected = [], found = [];
        for (var i = 0; i < events.Length; i++)
        {
            expected.AddRange((await SendAsync(inference, model.Id, "alone", [events[i]], i)).Answer!.Decisions);
        }

        for (var i = 0; i < events.Length; i++)
        {
            // The other series takes the only place.
            if (i % 4 == 3) await SendAsync(inference, model.Id, "other", [events[0]]);
            var (answer, error) = await SendAsync(inference, model.Id, "k", [events[i]], i);
            Assert.Equal(i % 4 == 3 ? InferenceErrorKind.WindowMissing : (InferenceErrorKind?)null, error?.Kind);
            if (error is not null)
            {
                (answer, error) = await SendAsync(inference, model.Id, "k", [events[i]], i, events[Math.Max(0, i - Steps)..i]);
                Assert.Null(error);
                Assert.True(answer!.IsRebuilt);
            }

            found.AddRange(answer!.Decisions);
        }

        Assert.Equal(8, expected.Count);
        Assert.Equal(expected, found);
    }

    [Fact]
    public async Task A_state_is_rebuilt_by_running_its_history()
    {
        using var folder = TensorFolder.Recurrent(1);
        await using var inference = Open(folder, out var model);
        var (expected, _) = await SendAsync(inference, model.Id, "k", [[1], [2], [3]]);
        var (rebuilt, _) = await SendAsync(inference, model.Id, "l", [[3]], 2, [[1], [2]]);
        Assert.Equal(expected!.Decisions[^1], Assert.Single(rebuilt!.Decisions));
        Assert.True(rebuilt.IsRebuilt);
        var (_, error) = await SendAsync(inference, model.Id, "m", [[3]], 1, [[1], [2]]);
        Assert.Equal((InferenceErrorKind.InvalidRequest, "history"), (error!.Kind, error.Field));
    }

    [Fact]
    public async Task A_run_that_fails_or_is_called_off_leaves_the_window_as_it_was()
    {
        using var folder = TensorFolder.Fragile(2).With("r1-series.json", """{"window":{}}""");
        await using var inference = Open(folder, out var model);
        Assert.Equal([0], (await SendAsync(inference, model.Id, "k", [[0, 1]])).Answer!.Decisions.Select(one => one.Score));
        // The window [1, 9] runs, [9, 2] does not: neither is taken.
        var (_, error) = await SendAsync(inference, model.Id, "k", [[9, 2]], 2);
        Assert.Equal((InferenceErrorKind.InvalidRequest, "values"), (error!.Kind, error.Field));
        using CancellationTokenSource gone = new();
        await gone.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => SendAsync(inference, model.Id, "k", [[3]], 2, cancellationToken: gone.Token));
        var (answer, _) = await SendAsync(inference, model.Id, "k", [[2, 3]], 2);
        Assert.Equal([1, 2], answer!.Decisions.Select(one => one.Score));
        Assert.Equal(4, answer.Next);
    }

    [Fact]
    public async Task Requests_of_one_series_at_once_are_taken_one_after_the_other()
    {
        using var folder = TensorFolder.Recurrent(1);
        await using var inference = Open(folder, out var model);
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => SendAsync(inference, model.Id, "k", [[1]])));
        Assert.All(answers, one => Assert.Null(one.Error));
        var state = 0.0;
        foreach (var (answer, i) in answers.Select(one => one.Answer!).OrderBy(one => one.First).Select((one, i) => (one, i)))
        {
            Assert.Equal((i, state = (state / 2) + 1), (answer.First, Assert.Single(answer.Decisions).Score!.Value), new Close());
        }
    }

    [Fact]
    public async Task Owners_have_their_own_and_may_have_it_forgotten()
    {
        using var folder = TensorFolder.Recurrent(1);
        await using var inference = Open(folder, out var model);
        await SendAsync(inference, model.Id, "k", [[8]], owner: "a");
        Assert.Equal(1, Assert.Single((await SendAsync(inference, model.Id, "k", [[1]], owner: "b")).Answer!.Decisions).Score);
        Assert.True((await RemoveAsync("b")).IsRemoved);
        Assert.False((await RemoveAsync("b")).IsRemoved);
        Assert.Equal(1, Assert.Single((await SendAsync(inference, model.Id, "k", [[1]], owner: "b")).Answer!.Decisions).Score);
        Assert.Equal(5, Assert.Single((await SendAsync(inference, model.Id, "k", [[1]], owner: "a")).Answer!.Decisions).Score);

        async Task<SeriesAnswer> RemoveAsync(string owner) =>
            (await RunAsync(inference, model.Id, new Prompt.Series("k", []) { IsRemoval = true }, owner, Cancellation)).Answer!;
    }

    [Fact]
    public async Task A_new_version_goes_on_with_the_values_but_not_with_another_s_state()
    {
        using TensorFolder old = TensorFolder.Window(Steps, Width).With("r1-series.json", WindowFile),
            next = TensorFolder.Window(Steps, Width, seed: 6).With("r1-series.json", """{"window":{},"threshold":0.25}""");
        await using var windows = await SwapAsync(old, next, async inference => await SendAsync(inference, "model", "k", Events(1, 10)));
        var (answer, _) = await SendAsync(windows, "model", "k", [Events(1, 11)[10]]);
        using InferenceSession raw = new(System.IO.Path.Combine(next.Path, "model.onnx"));
        Assert.Equal(Raw(raw, Events(1, 11)[3..]), (float)Assert.Single(answer!.Decisions).Score!);
        Assert.Equal((10, 11, 0.25, false), (answer.First, answer.Next, answer.Threshold, answer.IsRebuilt));

        using TensorFolder oldState = TensorFolder.Recurrent(1), nextState = TensorFolder.Recurrent(1);
        await using var states = await SwapAsync(oldState, nextState, async inference => await SendAsync(inference, "model", "k", [[1], [2]]));
        var (_, error) = await SendAsync(states, "model", "k", [[3]], 2);
        Assert.Equal((InferenceErrorKind.WindowMissing, "history"), (error!.Kind, error.Field));
        Assert.Equal(4.25, Assert.Single((await SendAsync(states, "model", "k", [[3]], 2, [[1], [2]])).Answer!.Decisions).Score);
    }

    [Fact]
    public async Task Channels_first_labels_and_outputs()
    {
        using var folder = TensorFolder.Channels(3, 2)
            .With("r1-series.json", """{"window":{"axis":2},"score":{"output":"y","index":1},"labels":["calm","windy","stormy"]}""");
        await using var inference = Open(folder, out var model);
        var (answer, _) = await SendAsync(inference, model.Id, "k", [[1, 2, 30], [4, 5, 60]], outputs: ["y"]);
        Assert.Equal(new SeriesDecision(1, 7, "stormy"), Assert.Single(answer!.Decisions));
        Assert.Equal([5, 7, 90], TensorFolder.Floats(Assert.Single(answer.Outputs)));
        var (_, error) = await SendAsync(inference, model.Id, "k", [[1, 2, 3]], outputs: ["z"]);
        Assert.Contains("no output 'z'", error!.Message, StringComparison.Ordinal);
    }

    internal static LocalInference Open(TensorFolder folder, out LoadedVariant model, SeriesLimits? limits = null)
    {
        var opened = folder.Open();
        ModelHost host = new(
            [opened], new ModelHostOptions { MemoryBytes = 4L << 30, Series = limits ?? SeriesLimits.Default }, new RuntimeOptions { Threads = 2 },
            new EngineOptions { WarmsUp = false }, TimeProvider.System);
        LocalInference inference = new(host);
        host.LoadAsync(opened.Name, new PrecisionPreference(), Cancellation).GetAwaiter().GetResult();
        model = Assert.Single(inference.Variants);
        return inference;
    }

    internal static Task<(SeriesAnswer? Answer, InferenceError? Error)> SendAsync(LocalInference inference, string model, string key,
        double[][] events, long? sequence = null, double[][]? history = null, string owner = "", string[]? outputs = null,
        CancellationToken? cancellationToken = null) =>
        RunAsync(inference, model, new Prompt.Series(key, events) { Sequence = sequence, History = history, Outputs = outputs ?? [] }, owner,
            cancellationToken ?? Cancellation);

    private static async Task<(SeriesAnswer? Answer, InferenceError? Error)> RunAsync(LocalInference inference, string model, Prompt.Series prompt,
        string owner, CancellationToken cancellationToken)
    {
        InferenceRequest request = new() { Id = RequestId.New(), Model = model, Prompt = prompt, Owner = owner };
        ResultFold fold = new(request.Id);
        await foreach (var inferenceEvent in inference.RunAsync(request, cancellationToken)) fold.Add(inferenceEvent);
        var result = fold.Result();
        return (result.Series, result.Error);
    }

    /// <summary>A host that has changed from one folder's graph to the other's, after what was sent to the first.</summary>
    private static async Task<LocalInference> SwapAsync(TensorFolder old, TensorFolder next, Func<LocalInference, Task> before)
    {
        ModelFolder[] versions = [.. new[] { old, next }.Select((folder, i) =>
        {
            // Of one name, where each folder's is a random one.
            var link = System.IO.Path.Combine(folder.Path, "as", "model");
            Directory.CreateDirectory(link);
            foreach (var file in Directory.EnumerateFiles(folder.Path))
                File.Copy(file, System.IO.Path.Combine(link, System.IO.Path.GetFileName(file)));
            return ModelFolder.Open(link) with { Version = $"{i + 1}" };
        })];
        ModelHost host = new([versions[0]], new ModelHostOptions { MemoryBytes = 4L << 30 }, new RuntimeOptions { Threads = 1 },
            new EngineOptions { WarmsUp = false }, TimeProvider.System);
        LocalInference inference = new(host);
        await before(inference);
        Assert.Null((await host.SwapAsync(versions[1], new PrecisionPreference(), isForward: true, _ => { }, Cancellation)).Refusal);
        return inference;
    }

    private static double[][] Events(int seed, int count, int width = Width)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, width).Select(_ => (double)(random.NextSingle() - 0.5f)).ToArray())];
    }

    /// <summary>The score of one window as ONNX Runtime gives it in a batch, as rows of a batch have it.</summary>
    private static float Raw(InferenceSession session, double[][] window)
    {
        float[] content = [.. window.SelectMany(one => one).Select(one => (float)one)];
        using var input = OrtValue.CreateTensorValueFromMemory([.. content, .. content], [2, window.Length, window[0].Length]);
        using RunOptions options = new();
        using var outputs = session.Run(options, ["x"], [input], ["y"]);
        return outputs[0].GetTensorDataAsSpan<float>()[0];
    }

    private sealed class Close : IEqualityComparer<(long, double)>
    {
        public bool Equals((long, double) x, (long, double) y) => x.Item1 == y.Item1 && Math.Abs(x.Item2 - y.Item2) < 1e-5;

        public int GetHashCode((long, double) one) => one.Item1.GetHashCode();
    }
}
