using Microsoft.ML.OnnxRuntime;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelBuilder.Graphs;
using R1Serverless.ModelBuilder.Quantization;
using static R1Serverless.ModelBuilder.Onnx.TensorProto.Types;

namespace R1Serverless.Tests.ModelBuilder;

/// <summary>A linear layer of each form against the same numbers computed here, in doubles.</summary>
public sealed class LinearFormTests : IDisposable
{
    private const int Tokens = 5, Outputs = 33;

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-form-").FullName;
    private readonly Random _random = new(5);

    [Theory]
    [InlineData(64)]
    [InlineData(48)]
    public void Integer_rows_multiply_what_they_round_to(int inputs)
    {
        foreach (var layout in new[] { new QuantizedLayout.Rows(63, false), new QuantizedLayout.Rows(127, true) })
        {
            var (weights, bias, states) = Numbers(inputs);
            var actual = Run(graph => new RowForm(graph, layout), weights, bias, states, inputs);
            var roundedWeights = Rounded(weights, inputs, layout.Limit);
            AssertProduct(Rounded(states, inputs, 127), roundedWeights, bias, inputs, actual, 1e-5);
        }
    }

    [Fact]
    public void A_token_of_zeros_gives_the_bias_and_leaves_the_others_alone()
    {
        const int inputs = 48;
        var (weights, bias, states) = Numbers(inputs);
        Array.Clear(states, inputs, inputs);
        var actual = Run(graph => new RowForm(graph, new QuantizedLayout.Rows(63, false)), weights, bias, states, inputs);
        Assert.Equal(bias, actual[Outputs..(2 * Outputs)]);
        AssertProduct(Rounded(states, inputs, 127), Rounded(weights, inputs, 63), bias, inputs, actual, 1e-5);
    }

    [Theory]
    [InlineData(64, 4)]
    [InlineData(48, 4)]
    [InlineData(64, 8)]
    public void Blocks_multiply_what_they_round_to(int inputs, int bits)
    {
        foreach (var symmetric in new[] { true, false })
        {
            var (weights, bias, states) = Numbers(inputs);
            var actual = Run(graph => new BlockForm(graph, new QuantizedLayout.Blocks(bits, 32, 1, symmetric)), weights, bias, states, inputs);
            AssertProduct(states, RoundedBlocks(weights, inputs, bits, symmetric), bias, inputs, actual, 1e-5);
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static void AssertProduct(float[] states, float[] weights, float[] bias, int inputs, float[] actual, double tolerance)
    {
        for (var token = 0; token < Tokens; token++)
        {
            for (var output = 0; output < Outputs; output++)
            {
                var sum = (double)bias[output];
                for (var i = 0; i < inputs; i++) sum += (double)states[(token * inputs) + i] * weights[(output * inputs) + i];
                Assert.InRange(actual[(token * Outputs) + output], sum - tolerance, sum + tolerance);
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_large_vocabulary_in_parts_gives_the_same_logits(bool unsigned)
    {
        const int inputs = 96, rows = 3 * 64;
        var (weights, states) = (Draw(rows * inputs), Draw(Tokens * inputs));
        var layout = new QuantizedLayout.Rows(QuantizedLayout.SafeLimit, unsigned);
        float[] Logits(int headBytes, int nodes)
        {
            var path = Path.Combine(_folder, $"head{headBytes}.safetensors");
            TinySafeTensors.Write(path, ("w", weights, [rows, inputs]));
            using var file = SafeTensors.Open(path);
            return Run(rows, states, inputs, graph =>
            {
                new RowForm(graph, layout, headBytes).Logits("y", "x", new CheckpointTensor(file, file.Tensors["w"]), tied: false);
                Assert.Equal(nodes, graph.ToModel("test").Graph.Node.Count(node => node.OpType == "MatMulIntegerToFloat"));
                // However it is parted, it is one tensor of the checkpoint.
                Assert.Equal(rows * inputs, graph.Parameters);
            });
        }

        var whole = Logits(rows * inputs, 1);
        // Two whole parts of 64 or 128 and what is left, and parts that are never below 64.
        Assert.Equal(whole, Logits((128 * inputs) + 5, 2));
        Assert.Equal(whole, Logits(1, 3));
    }

    private static float[] Rounded(float[] values, int width, int limit) => [.. values.Chunk(width).SelectMany(row =>
    {
        var scale = MathF.Max(row.Max(MathF.Abs), 1e-10f) / limit;
        return row.Select(value => MathF.Round(value / scale) * scale);
    })];

    private static float[] RoundedBlocks(float[] values, int width, int bits, bool symmetric) =>
        [.. values.Chunk(width).SelectMany(row => row.Chunk(32)).SelectMany(block =>
    {
        var (least, most) = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1);
        if (symmetric)
        {
            var scale = block.MaxBy(MathF.Abs) / least;
            return block.Select(value => Math.Clamp(MathF.Round(value / scale), least, most) * scale);
        }

        var (low, high) = (MathF.Min(0, block.Min()), MathF.Max(0, block.Max()));
        var step = (high - low) / (most - least);
        var zero = MathF.Round(-low / step);
        return block.Select(value => (Math.Clamp(MathF.Round(value / step) + zero, 0, most - least) - zero) * step);
    })];

    private (float[] Weights, float[] Bias, float[] States) Numbers(int inputs) => (Draw(Outputs * inputs), Draw(Outputs), Draw(Tokens * inputs));

    private float[] Draw(int count) =>
        [.. Enumerable.Range(0, count).Select(_ => (float)((_random.NextDouble() * 2) - 1) * (_random.Next(10) == 0 ? 3 : 0.3f))];

    private float[] Run(Func<OnnxGraph, LinearForm> create, float[] weights, float[] bias, float[] states, int inputs)
    {
        var path = Path.Combine(_folder, "w.safetensors");
        TinySafeTensors.Write(path, ("w", weights, [Outputs, inputs]), ("b", bias, [Outputs]));
        using var file = SafeTensors.Open(path);
        return Run(
            Outputs, states, inputs,
            graph => create(graph)
            .Product("y", "x", [new CheckpointTensor(file, file.Tensors["w"])], [new CheckpointTensor(file, file.Tensors["b"])]));
    }

    private float[] Run(int width, float[] states, int inputs, Action<OnnxGraph> build)
    {
        var graph = new OnnxGraph("layer");
        graph.Input("x", DataType.Float, "tokens", inputs);
        graph.Output("y", DataType.Float, "tokens", width);
        build(graph);
        var model = Path.GetRandomFileName() + ".onnx";
        OnnxWriter.Write(graph, _folder, model, "test", new Progress<long>(), CancellationToken.None);
        using var session = new InferenceSession(Path.Combine(_folder, model));
        using var input = OrtValue.CreateTensorValueFromMemory(states, [Tokens, inputs]);
        using var options = new RunOptions();
        using var outputs = session.Run(options, ["x"], [input], ["y"]);
        return outputs[0].GetTensorDataAsSpan<float>().ToArray();
    }
}
