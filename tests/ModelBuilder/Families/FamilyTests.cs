using R1Serverless.Abstractions;
using R1Serverless.Models;

namespace R1Serverless.Tests.ModelBuilder.Families;

/// <summary>Each family's graph against a forward pass of the tests' own.</summary>
public sealed class FamilyTests
{
    /// <summary>In nats.</summary>
    private const float Tolerance = 1e-4f;

    private static readonly string[] Bitwise = ["qwen3", "r1-0528-qwen3", "mistral", "phi4-mini", "smollm3", "gemma3"];

    public static TheoryData<string> Cases => [.. FamilyCases.All.Keys];

    public static TheoryData<string, Precision> Precisions => new MatrixTheoryData<string, Precision>(Bitwise, Enum.GetValues<Precision>());

    [Theory]
    [InlineData("llama")]
    [InlineData("llama-bias")]
    [InlineData("qwen2")]
    public void The_forward_pass_itself_gives_PyTorchs_logits(string name)
    {
        var folder = ReferenceCheckpoints.Folder(name);
        var model = name switch
        {
            "llama" => new NaiveModel { Hidden = 24, Layers = Twice((null, NaiveRope.Llama3(16, 10000, 8, 1, 4, 32))) },
            "llama-bias" => new NaiveModel
            {
                Heads = 2,
                KeyValueHeads = 1,
                HasQueryBias = true,
                HasOutputBias = true,
                IsTied = true,
                Layers = [(null, NaiveRope.Linear(16, 10000, 4))],
            },
            _ => new NaiveModel
            {
                Hidden = 64,
                KeyValueHeads = 1,
                HasQueryBias = true,
                IsTied = true,
                Layers = [(null, NaiveRope.Plain(16, 5000)), (7, NaiveRope.Plain(16, 5000))],
            },
        };
        var weights = ReferenceCheckpoints.Weights(folder);
        Assert.Equal(weights.Keys.Order(), model.Tensors().Select(tensor => tensor.Name).Order());
        foreach (var (ids, expected) in ReferenceCheckpoints.Read(name)) AssertClose(expected, new NaiveDecoder(model, weights).Logits(ids));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void All_logits_equal_the_forward_pass(string name)
    {
        var (family, folder, context) = Open(name);
        using var session = new GraphSession(folder, allLogits: true, length: context);
        var ids = FamilyCase.Ids(Math.Min(context, 60));
        AssertClose(family.Logits(ids), session.Step(ids, ids.Length));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Chunks_and_single_tokens_equal_the_forward_pass(string name)
    {
        var (family, folder, context) = Open(name);
        using var session = new GraphSession(folder, allLogits: false, length: context);
        var ids = FamilyCase.Ids(24);
        var expected = family.Logits(ids).Chunk(family.Model.Vocabulary).ToArray();
        foreach (var (first, count) in (ReadOnlySpan<(int, int)>)[(0, 5), (5, 8), (13, 1), (14, 1), (15, 8), (23, 1)])
            AssertClose(expected[first + count - 1], session.Step(ids[first..(first + count)], first + count));
    }

    [Theory]
    [MemberData(nameof(Precisions))]
    public void A_row_is_the_same_alone_and_in_company_bit_for_bit(string name, Precision precision)
    {
        var (family, folder, context) = Open(name);
        if (precision == Precision.Fp16 && name == "gemma3")
        {
            Assert.Contains("float16", Assert.Throws<InvalidModelException>(() => Session()).Message, StringComparison.Ordinal);
            return;
        }

        NaiveDecoder rounded = new(family.Model, Rounded(family, precision));
        var ids = FamilyCase.Ids(30);
        int[] lengths = [3, 12, 8];
        using var batch = Session(lengths.Length);
        var padded = lengths.SelectMany((length, row) => ids[row..(row + length)].Concat(Enumerable.Repeat(0L, lengths.Max() - length)));
        var together = batch.Step([.. padded], lengths)
            .Concat(batch.Step([.. lengths.Select((length, row) => ids[row + length])], [.. lengths.Select(length => length + 1)])).ToArray();
        using var alone = Session();
        for (var row = 0; row < lengths.Length; row++)
        {
            var length = lengths[row];
            float[] prefilled = alone.Step(ids[row..(row + length)], length), decoded = alone.Step([ids[row + length]], length + 1);
            Assert.Equal(prefilled, together.AsSpan(row * batch.Vocabulary, batch.Vocabulary));
            Assert.Equal(decoded, together.AsSpan((lengths.Length + row) * batch.Vocabulary, batch.Vocabulary));
            // With weights rounded as the graph's are: states in 8 bits move logits too, but not to those of another model.
            var expected = rounded.Logits(ids[row..(row + length + 1)]).AsSpan(length * batch.Vocabulary).ToArray();
            Assert.InRange(Correlation(expected, decoded), precision is Precision.Int4 or Precision.Int8 ? 0.95 : 0.9999, 1.001);
        }

        GraphSession Session(int rows = 1) => new(folder, allLogits: false, rows: rows, length: context, precision: precision);
    }

    [Theory]
    [InlineData("qwen3")]
    [InlineData("phi4-mini")]
    [InlineData("smollm3")]
    [InlineData("gemma3")]
    public void Keys_and_values_in_8_bits_stay_near(string name)
    {
        var (family, folder, context) = Open(name);
        using var session = new GraphSession(folder, allLogits: true, length: context, kv: KvFormat.Int8);
        var ids = FamilyCase.Ids(40);
        Assert.InRange(Correlation(family.Logits(ids), session.Step(ids, ids.Length)), 0.99, 1.001);
    }

    private static (FamilyCase Family, string Folder, int Context) Open(string name)
    {
        var folder = FamilyCases.All[name].Write();
        return (FamilyCases.All[name], folder, ModelConfig.Load(Path.Combine(folder, ModelFiles.ConfigFile)).ContextLength);
    }

    private static (int?, double[]?)[] Twice((int?, double[]?) layer) => [layer, layer];

    /// <summary>INT8: a scale for each row, 7 bits. INT4: one for 32 weights, and the vocabulary as in INT8.</summary>
    private static Dictionary<string, float[]> Rounded(FamilyCase family, Precision precision)
    {
        if (precision is Precision.Fp32 or Precision.Fp16) return family.Weights;
        return family.Model.Tensors().ToDictionary(t => t.Name, t =>
        {
            var weights = family.Weights[t.Name];
            if (t.Shape.Length == 1) return weights;
            var isInBlocks = precision == Precision.Int4 && t.Name.Contains("_proj", StringComparison.Ordinal);
            return weights.Chunk((int)t.Shape[1]).SelectMany(row => row.Chunk(isInBlocks ? 32 : row.Length)).SelectMany(part =>
            {
                var scale = isInBlocks ? part.MaxBy(MathF.Abs) / -8 : part.Max(MathF.Abs) / 63;
                return part.Select(weight => Math.Clamp(MathF.Round(weight / scale), isInBlocks ? -8 : -63, isInBlocks ? 7 : 63) * scale);
            }).ToArray();
        }, StringComparer.Ordinal);
    }

    private static double Correlation(float[] one, float[] other)
    {
        var (a, b) = (one.Average(), other.Average());
        double Spread(float[] values, double mean) => Math.Sqrt(values.Sum(value => (value - mean) * (value - mean)));
        return one.Zip(other, (x, y) => (x - a) * (y - b)).Sum() / (Spread(one, a) * Spread(other, b));
    }

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.InRange(expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max(), 0, Tolerance);
    }
}
