using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.Models;

namespace R1Serverless.Tests.ModelBuilder;

/// <summary>The variants of the shipped model, whose weights are real.</summary>
public sealed class QuantizedGraphTests
{
    private static readonly int[] BatchSizes = [1, 2, 3, 4, 5, 7, 8, 16, 17, 32, 64];

    private static readonly long[] Ids = [.. ReferenceCheckpoints.Read(ShippedModels.Nano).SelectMany(sequence => sequence.Ids)];

    public static TheoryData<Precision, KvFormat> Variants =>
        new MatrixTheoryData<Precision, KvFormat>(Enum.GetValues<Precision>(), Enum.GetValues<KvFormat>());

    [Theory]
    [InlineData(Precision.Fp16, KvFormat.Auto, 1.0, 1e-4)]
    [InlineData(Precision.Int8, KvFormat.Auto, 0.96, 0.05)]
    [InlineData(Precision.Int4, KvFormat.Auto, 0.94, 0.15)]
    [InlineData(Precision.Fp32, KvFormat.Int8, 0.98, 0.01)]
    [InlineData(Precision.Fp16, KvFormat.Int8, 0.98, 0.01)]
    [InlineData(Precision.Int8, KvFormat.Int8, 0.96, 0.05)]
    public void The_next_tokens_are_much_the_same_as_PyTorchs(Precision precision, KvFormat kv, double minAgreement, double maxDivergence)
    {
        using var session = new GraphSession(TestModels.NanoCheckpoint, allLogits: true, precision: precision, kv: kv);
        List<(double Divergence, bool Same)> tokens = [];
        foreach (var (ids, expected) in ReferenceCheckpoints.Read(ShippedModels.Nano))
        {
            var actual = session.Step(ids, ids.Length);
            tokens.AddRange(expected.Chunk(session.Vocabulary).Zip(actual.Chunk(session.Vocabulary), Compare));
        }

        Assert.InRange(tokens.Average(token => token.Same ? 1.0 : 0.0), minAgreement, 1);
        Assert.InRange(tokens.Average(token => token.Divergence), 0, maxDivergence);
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void A_row_is_the_same_alone_and_in_any_company_bit_for_bit(Precision precision, KvFormat kv)
    {
        const int steps = 3;
        using var session = new GraphSession(TestModels.NanoCheckpoint, allLogits: false, precision: precision, kv: kv);
        var alone = Enumerable.Range(0, BatchSizes.Max()).Select(row => Generate(session, [row], steps)[0]).ToList();
        foreach (var size in BatchSizes)
        {
            var together = Generate(session, [.. Enumerable.Range(0, size)], steps);
            for (var row = 0; row < size; row++) Assert.True(alone[row].AsSpan().SequenceEqual(together[row]), $"row {row} of {size}");
        }
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Chunks_of_a_prompt_go_on_where_the_last_ended(Precision precision, KvFormat kv)
    {
        using var session = new GraphSession(TestModels.NanoCheckpoint, allLogits: false, precision: precision, kv: kv);
        var whole = session.Step(Ids[..48], 48);
        session.Restart(1);
        session.Step(Ids[..32], 32);
        var chunked = session.Step(Ids[32..48], 48);
        Assert.InRange(whole.Zip(chunked, (a, b) => Math.Abs(a - b)).Max(), 0, precision == Precision.Fp32 && kv == KvFormat.Auto ? 1e-4 : 0.5);
    }

    /// <summary>For each row the logits of its prompt's end and of every step after it: prompts of different lengths, prefilled together.</summary>
    private static float[][] Generate(GraphSession session, int[] rows, int steps)
    {
        session.Restart(rows.Length);
        int[] lengths = [.. rows.Select(row => 1 + (row * 7 % 37))];
        var width = lengths.Max();
        var prompts = rows.SelectMany((row, i) => Ids[row..(row + lengths[i])].Concat(Enumerable.Repeat(0L, width - lengths[i])));
        List<float[]> outputs = [session.Step([.. prompts], lengths)];
        for (var step = 0; step < steps; step++)
            outputs.Add(session.Step([.. rows.Select(row => Ids[row + 40 + step])], [.. lengths.Select(length => length + step + 1)]));
        var size = session.Vocabulary;
        return [.. rows.Select((_, i) => outputs.SelectMany(output => output[(i * size)..((i + 1) * size)]).ToArray())];
    }

    private static (double Divergence, bool Same) Compare(float[] expected, float[] actual)
    {
        var (p, q) = (LogProbabilities(expected), LogProbabilities(actual));
        return (p.Zip(q, (a, b) => Math.Exp(a) * (a - b)).Sum(), Array.IndexOf(expected, expected.Max()) == Array.IndexOf(actual, actual.Max()));
    }

    private static double[] LogProbabilities(float[] logits)
    {
        var most = logits.Max();
        var sum = Math.Log(logits.Sum(logit => Math.Exp(logit - most))) + most;
        return [.. logits.Select(logit => logit - sum)];
    }
}
