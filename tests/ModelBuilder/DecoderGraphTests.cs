using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelBuilder.Decoders;

namespace R1Serverless.Tests.ModelBuilder;

public sealed class DecoderGraphTests
{
    private const float Tolerance = 1e-4f;

    public static TheoryData<string> Checkpoints => ReferenceCheckpoints.Names;

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void All_logits_equal_PyTorchs(string name)
    {
        using var session = new GraphSession(ReferenceCheckpoints.Folder(name), allLogits: true);
        foreach (var (ids, expected) in ReferenceCheckpoints.Read(name))
        {
            AssertClose(expected, session.Step(ids, ids.Length));
        }
    }

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Chunks_and_single_tokens_over_shared_buffers_equal_one_shot(string name)
    {
        using var session = new GraphSession(ReferenceCheckpoints.Folder(name), allLogits: true);
        foreach (var (ids, expected) in ReferenceCheckpoints.Read(name))
        {
            List<float> logits = [];
            foreach (var (first, count) in new[] { (0, 5), (5, 8), (13, 3) }.Concat(Enumerable.Range(16, ids.Length - 16).Select(i => (i, 1))))
            {
                logits.AddRange(session.Step(ids[first..(first + count)], first + count));
            }

            AssertClose(expected, [.. logits]);
        }
    }

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void The_default_graph_returns_the_last_tokens_logits(string name)
    {
        using var session = new GraphSession(ReferenceCheckpoints.Folder(name), allLogits: false);
        var (ids, expected) = ReferenceCheckpoints.Read(name)[0];
        var size = session.Vocabulary;
        AssertClose(expected[(10 * size)..(11 * size)], session.Step(ids[..11], 11));
        AssertClose(expected[(19 * size)..(20 * size)], session.Step(ids[11..20], 20));
        AssertClose(expected[(20 * size)..(21 * size)], session.Step(ids[20..21], 21));
    }

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void A_ragged_batch_gives_each_row_what_it_gets_alone(string name)
    {
        var ids = ReferenceCheckpoints.Read(name)[0].Ids;
        int[] lengths = [3, 12, 8];
        using var batch = new GraphSession(ReferenceCheckpoints.Folder(name), allLogits: false, rows: lengths.Length);
        var padded = lengths.SelectMany((length, row) => ids[row..(row + length)].Concat(Enumerable.Repeat(0L, lengths.Max() - length))).ToArray();
        var together = batch.Step(padded, lengths)
            .Concat(batch.Step([.. lengths.Select((length, row) => ids[row + length])], [.. lengths.Select(length => length + 1)])).ToArray();

        using var alone = new GraphSession(ReferenceCheckpoints.Folder(name), allLogits: false);
        for (var row = 0; row < lengths.Length; row++)
        {
            var length = lengths[row];
            float[] prefilled = alone.Step(ids[row..(row + length)], length), decoded = alone.Step([ids[row + length]], length + 1);
            Assert.Equal(prefilled, together.AsSpan(row * batch.Vocabulary, batch.Vocabulary));
            Assert.Equal(decoded, together.AsSpan((lengths.Length + row) * batch.Vocabulary, batch.Vocabulary));
        }
    }

    [Fact]
    public void Weights_in_a_data_file_give_the_same_logits()
    {
        var folder = ReferenceCheckpoints.Folder("llama");
        using GraphSession inside = new(folder, allLogits: true), outside = new(folder, allLogits: true, inlineLimit: 0);
        Assert.Null(inside.DataFile);
        Assert.Equal("model.onnx.data", outside.DataFile);
        var ids = ReferenceCheckpoints.Read("llama")[0].Ids;
        Assert.Equal(inside.Step(ids, ids.Length), outside.Step(ids, ids.Length));
    }

    [Fact]
    public void Names_are_those_of_onnxruntime_genai()
    {
        using var session = new GraphSession(ReferenceCheckpoints.Folder("qwen2"), allLogits: false);
        Assert.Equal(
            ["input_ids", "attention_mask", "past_key_values.0.key", "past_key_values.0.value", "past_key_values.1.key", "past_key_values.1.value"],
            session.Inputs);
        Assert.Equal(["logits", "present.0.key", "present.0.value", "present.1.key", "present.1.value"], session.Outputs);
    }

    [Theory]
    [InlineData(6)]
    [InlineData(8)]
    public void A_window_one_token_off_is_told_apart(int window)
    {
        var folder = ReferenceCheckpoints.Copy("qwen2");
        var config = Path.Combine(folder, "config.json");
        File.WriteAllText(config,
            File.ReadAllText(config).Replace("\"sliding_window\": 7", $"\"sliding_window\": {window}", StringComparison.Ordinal));
        using var session = new GraphSession(folder, allLogits: true);
        var (ids, expected) = ReferenceCheckpoints.Read("qwen2")[0];
        var logits = session.Step(ids, ids.Length);
        Assert.True(expected.Zip(logits, (a, b) => Math.Abs(a - b)).Max() > 100 * Tolerance);
    }

    [Fact]
    public void Reports_its_parameters_with_a_tied_embedding_once()
    {
        using var checkpoint = Checkpoint.Open(ReferenceCheckpoints.Folder("qwen2"));
        using var file = SafeTensors.Open(Checkpoint.WeightFiles(checkpoint.Folder)[0]);
        Assert.Equal(file.Tensors.Values.Sum(tensor => tensor.Elements), DecoderGraph.Build(checkpoint, new DecoderGraphOptions()).Parameters);
    }

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.InRange(expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max(), 0, Tolerance);
    }
}
