using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Runtime;
using R1Serverless.Models;
using R1Serverless.Scheduling;

namespace R1Serverless.Tests.Engine.Runtime;

/// <summary>The same weights in graphs of other types, names and inputs give the same logits, and so do slots in a device's own memory.</summary>
public sealed class GraphKindsTests : IDisposable
{
    private static readonly RuntimeOptions Options = new() { Threads = 2 };
    private static readonly Lazy<List<float[]>> Expected = new(() => Trace(Open(TestModels.NanoGraph)));

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-graphs-").FullName;

    [Fact]
    public void Positions_are_given_where_the_graph_wants_them() =>
    Assert.Equal(Expected.Value, Trace(Open(Save(new RewrittenGraph().WithPositions()))));

    [Fact]
    public void Narrow_integers_are_given_where_the_graph_wants_them() =>
        Assert.Equal(Expected.Value, Trace(Open(Save(new RewrittenGraph().WithPositions().WithNarrowIntegers()))));

    [Fact]
    public void Float16_logits_are_read_as_float() =>
        Assert.Equal(Expected.Value.Select(Rounded), Trace(Open(Save(new RewrittenGraph().WithHalfLogits()))));

    [Fact]
    public void Float16_keys_and_values_take_half_the_memory_and_cost_little()
    {
        using var runner = Open(Save(new RewrittenGraph().WithHalfCache()));
        using var plain = Open(TestModels.NanoGraph);
        Assert.Equal(plain.KvBytesPerToken, runner.KvBytesPerToken * 2);
        var (expected, trace) = (Expected.Value, Trace(runner));
        Assert.Equal(expected.Count, trace.Count);
        for (var i = 0; i < trace.Count; i++) Assert.True(trace[i].Zip(expected[i], (a, b) => Math.Abs(a - b)).Max() < 0.15f);
        Assert.NotEqual(expected, trace);
    }

    [Fact]
    public void Keys_and_values_in_8_bits_take_a_quarter_of_the_memory_and_cost_little()
    {
        var path = TestModels.NanoKv8.GraphPath(TestModels.NanoKv8.Manifest.Variants[0]);
        using var runner = Open(path);
        using var plain = Open(TestModels.NanoGraph);
        Assert.Equal(plain.KvBytesPerToken, runner.KvBytesPerToken * 4);
        var (expected, trace) = (Expected.Value, Trace(runner));
        Assert.Equal(expected.Count, trace.Count);
        for (var i = 0; i < trace.Count; i++) Assert.True(trace[i].Zip(expected[i], (a, b) => Math.Abs(a - b)).Max() < 2);
        Assert.Equal(trace, Trace(Open(path, ExecutionProvider.Cpu(Options) with { HasOwnMemory = true })));
        Assert.Equal(trace, Trace(Open(path, ExecutionProvider.Cpu(Options) with { TokenAlignment = 8 })));
    }

    [Fact]
    public void A_graph_that_takes_the_last_column_gets_no_padded_rows() =>
    Assert.Equal(Expected.Value, Trace(Open(Save(new RewrittenGraph().WithLastColumn()))));

    [Theory]
    [InlineData(65)]
    [InlineData(129)]
    public void Nor_is_its_last_token_left_alone_in_a_block_of_attention(int length)
    {
        using var runner = Open(Save(new RewrittenGraph().WithLastColumn()));
        using var own = Open(TestModels.NanoGraph);
        foreach (var one in (OrtModelRunner[])[runner, own]) Completed(one.Resize(new KvShape(2, 256), []));
        var prompt = Prompt(1, length);
        Completed(own.Prefill(0, [prompt]));
        var expected = own.Logits(0).ToArray();
        Completed(runner.Prefill(0, [Prompt(2, length), prompt]));
        Assert.Equal(expected, runner.Logits(1).ToArray());
        Completed(runner.Prefill(0, [prompt, Prompt(2, 7)]));
        Assert.Equal(expected, runner.Logits(0).ToArray());
    }

    [Fact]
    public void Slots_in_a_devices_own_memory_keep_every_bit()
    {
        var device = ExecutionProvider.Cpu(Options) with { HasOwnMemory = true };
        Assert.Equal(Expected.Value, Trace(Open(TestModels.NanoGraph, device)));
    }

    [Fact]
    public void Steps_bound_to_fixed_addresses_as_a_capture_wants_them_keep_every_bit()
    {
        var device = ExecutionProvider.Cpu(Options) with { HasOwnMemory = true, CapturesSteps = true };
        Assert.Equal(Expected.Value, Trace(Open(TestModels.NanoGraph, device)));
        Assert.Equal(Expected.Value, Trace(Open(Save(new RewrittenGraph().WithPositions()), device)));
    }

    [Fact]
    public void Prompts_padded_for_the_device_give_the_same_logits()
    {
        var device = ExecutionProvider.Cpu(Options) with { TokenAlignment = 8 };
        Assert.Equal(Expected.Value, Trace(Open(TestModels.NanoGraph, device)));
    }

    [Fact]
    public void A_device_with_too_little_memory_is_out_of_memory_not_broken()
    {
        using var runner = Open(TestModels.NanoGraph, ExecutionProvider.Cpu(Options) with { HasOwnMemory = true });
        Assert.Equal(StepResult.OutOfMemory, runner.Resize(new KvShape(1 << 20, 4096), []).Result);
        Assert.Equal(StepOutcome.Completed, runner.Resize(new KvShape(1, 256), []));
    }

    [Fact]
    public void An_input_that_nobody_knows_is_named() =>
        Assert.Contains("not known: token_type_ids",
            Assert.Throws<ModelLoadException>(() => Open(Save(new RewrittenGraph().WithInput("token_type_ids")))).Message);

    [Fact]
    public void The_bare_loop_runs_the_same_graphs()
    {
        foreach (var graph in (RewrittenGraph[])[new RewrittenGraph().WithPositions().WithNarrowIntegers(),
            new RewrittenGraph().WithHalfCache().WithHalfLogits()])
        {
            using var loop = new RawLoop(Save(graph), Options);
            Assert.True(loop.Run(rows: 2, promptLength: 16, tokens: 4) > TimeSpan.Zero);
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static OrtModelRunner Open(string path, ExecutionProvider? provider = null)
    {
        var session = OrtSession.Open(path, Options, provider ?? ExecutionProvider.Cpu(Options));
        return new OrtModelRunner(session, GraphSignature.Read(session.Session, GraphNames.Default));
    }

    private static float[] Rounded(float[] logits) => [.. logits.Select(l => (float)(Half)l)];

    /// <summary>Every kind of step and every way a slot is touched; the logits of all of them.</summary>
    private static List<float[]> Trace(OrtModelRunner runner)
    {
        using var owned = runner;
        List<float[]> logits = [];
        int[] lengths = [3, 40, 17];
        Completed(runner.Resize(new KvShape(4, 256), []));
        Completed(runner.Prefill(0, [.. lengths.Select((length, i) => (ReadOnlyMemory<int>)Prompt(i, length))]));
        Take(lengths.Length);
        Completed(runner.PrefillChunk(3, 0, Prompt(9, 30)));
        Completed(runner.PrefillChunk(3, 30, Prompt(10, 21)));
        Take(1);
        Decode(3, 40, 17, 51);
        runner.Move(new SlotMove(3, 0, 52));
        Decode(52, 41, 18);
        using (var saved = runner.Save(1, 42))
        {
            Completed(runner.Prefill(1, [Prompt(4, 60)]));
            Completed(runner.Resize(new KvShape(3, 512), [new SlotMove(0, 0, 53), new SlotMove(2, 2, 19)]));
            Completed(runner.Restore(saved, 1, 0));
        }

        Decode(53, 42, 19);
        return logits;

        void Decode(params int[] cached)
        {
            Completed(runner.Decode([.. cached.Select(c => c + 20)], cached));
            Take(cached.Length);
        }

        void Take(int rows)
        {
            for (var row = 0; row < rows; row++) logits.Add(runner.Logits(row).ToArray());
        }
    }

    private static int[] Prompt(int seed, int length)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(7, 800))];
    }

    private static void Completed(StepOutcome outcome) => Assert.Equal(StepOutcome.Completed, outcome);

    private string Save(RewrittenGraph graph)
    {
        var path = Path.Combine(_folder, $"{Guid.NewGuid():n}.onnx");
        graph.Save(path);
        return path;
    }
}
