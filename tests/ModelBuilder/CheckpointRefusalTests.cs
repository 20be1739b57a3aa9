using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelBuilder.Decoders;
using R1Serverless.Models;
using R1Serverless.Tests.ModelBuilder.Families;

namespace R1Serverless.Tests.ModelBuilder;

/// <summary>Checkpoints whose files don't say what their graph would: used as their authors use them, or refused before anything is
/// written.</summary>
public sealed class CheckpointRefusalTests : IDisposable
{
    private const string Up = "model.layers.0.mlp.up_proj.weight", Query = "model.layers.0.self_attn.q_proj.weight";

    private static readonly NaiveModel Plain = new() { Layers = [(null, NaiveRope.Plain(16, 10000))] };

    private readonly string _root = Directory.CreateTempSubdirectory("r1-refusal-").FullName;

    public static TheoryData<Precision, float> BadValues =>
        new MatrixTheoryData<Precision, float>(Enum.GetValues<Precision>(), [float.NaN, float.PositiveInfinity, float.NegativeInfinity]);

    [Theory]
    [InlineData("model.layers.0.self_attn.q_norm.weight", "F32")]
    [InlineData("model.layers.1.mlp.up_proj.weight", "F32")]
    [InlineData("model.layers.0.self_attn.q_proj.bias", "F32")]
    [InlineData("model.layers.0.mlp.experts.0.up_proj.weight", "F8_E5M2")]
    public void A_tensor_that_would_change_the_result_is_refused_by_name(string name, string type)
    {
        var folder = Write(Plain, more: (name, type, type == "F32" ? Bytes([1, 2, 3, 4]) : [1, 2, 3, 4], [4]));
        AssertRefused($"tensor {name} ", folder, Precision.Fp32);
    }

    [Fact]
    public void An_end_token_that_the_model_does_not_have_is_refused() => AssertRefused(
        "eos_token_id is 56, but the model has only 56 tokens", Write(Plain, """{"model_type":"llama","eos_token_id":[2,56]}"""), Precision.Fp32);

    [Theory]
    [InlineData("model.layers.0.self_attn.rotary_emb.inv_freq", "F32", 1f)]
    [InlineData("model.layers.0.self_attn.mask", "BOOL", 1f)]
    [InlineData("model.position_ids", "I64", 1f)]
    [InlineData("model.layers.0.self_attn.q_proj.bias", "F32", 0f)]
    public void A_buffer_that_changes_nothing_is_left_out(string name, string type, float value)
    {
        var elements = type switch { "F32" => 1, "BOOL" => 4, _ => 0 };
        var folder = Write(Plain, more: (name, type, type == "I64" ? [] : Bytes([value]), [elements]));
        AssertLogits(new NaiveDecoder(Plain, Case(Plain).Weights), folder);
    }

    [Fact]
    public void A_tied_model_with_a_head_of_its_own_uses_it() => AssertLogits(
        new NaiveDecoder(Plain, Case(Plain).Weights), Write(Plain, """{"model_type":"llama","tie_word_embeddings":true}"""));

    [Theory]
    [InlineData(Precision.Fp32)]
    [InlineData(Precision.Int8)]
    public void A_tied_model_whose_head_is_the_embedding_stores_it_once(Precision precision)
    {
        var tied = Case(Plain with { IsTied = true }).Weights["model.embed_tokens.weight"];
        const string config = """{"model_type":"llama","tie_word_embeddings":true}""";
        string without = Write(Plain with { IsTied = true }, config),
            with = Write(Plain with { IsTied = true }, config, more: ("lm_head.weight", "F32", Bytes(tied), [56, 32]));
        Assert.Equal(Graph(without, precision), Graph(with, precision));
    }

    [Theory]
    [MemberData(nameof(BadValues))]
    public void A_weight_that_is_no_number_is_one_sentence_at_every_precision(Precision precision, float value)
    {
        var folder = Write(Plain, change: weights => weights[Up][7] = value);
        AssertRefused($"tensor {Up} holds ", folder, precision);
    }

    [Fact]
    public void A_weight_beyond_float16_is_refused_for_it_alone()
    {
        var folder = Write(Plain, change: weights => weights["model.layers.0.input_layernorm.weight"][0] = -70000);
        AssertRefused("tensor model.layers.0.input_layernorm.weight holds -70000, which has no value in float16", folder, Precision.Fp16);
        AssertRefused("float16", folder, Precision.Fp32, Precision.Fp16);
        Assert.NotNull(Build(folder, Precision.Fp32, Precision.Int8, Precision.Int4));
    }

    [Fact]
    public void Generation_settings_that_are_not_followed_are_refused_before_the_build()
    {
        var folder = Write(Plain);
        File.WriteAllText(Path.Combine(folder, ModelFiles.GenerationFile), """{"num_beams":4}""");
        AssertRefused("num_beams", folder, Precision.Fp32);
    }

    [Theory]
    [InlineData("\"{% for m in messages %}{{ m.content }}\"", "chat template")]
    [InlineData("\"{{ messages | no_such_filter }}\"", "no_such_filter")]
    [InlineData("5", "chat_template")]
    public void A_chat_template_that_cannot_be_used_is_refused_before_the_build(string template, string reason)
    {
        var folder = Write(Plain);
        File.WriteAllText(Path.Combine(folder, ModelFiles.TokenizerConfigFile), $$"""{"chat_template":{{template}}}""");
        AssertRefused(reason, folder, Precision.Fp32);
    }

    [Fact]
    public void FP8_weights_with_scales_for_blocks_are_read_as_what_they_stand_for()
    {
        var (folder, weights) = WriteFloat8("""{"quant_method":"fp8","fmt":"e4m3","weight_block_size":[16,24],"activation_scheme":"dynamic"}""");
        AssertLogits(new NaiveDecoder(Plain, weights), folder);
    }

    [Fact]
    public void FP8_weights_without_their_scales_or_a_block_are_refused()
    {
        var (folder, _) = WriteFloat8("""{"quant_method":"fp8","weight_block_size":[32,24]}""");
        AssertRefused($"tensor {Query}_scale_inv has the shape", folder, Precision.Fp32);
        (folder, _) = WriteFloat8("null");
        AssertRefused($"tensor {Query} has the type F8_E4M3", folder, Precision.Fp32);
        folder = Write(Plain, more: ($"{Query}_scale_inv", "F32", Bytes([2]), [1, 1]));
        AssertRefused($"tensor {Query}_scale_inv has no place", folder, Precision.Fp32);
    }

    [Fact]
    public void Numbers_of_8_bits_have_their_published_values()
    {
        var values = new float[256];
        Float8.Widen([.. Enumerable.Range(0, 256).Select(i => (byte)i)], values);
        Assert.Equal([0, 0.001953125f, 0.013671875f, 0.015625f, 1, 1.125f, 448], new[] { 0, 1, 7, 8, 0x38, 0x39, 0x7e }.Select(i => values[i]));
        Assert.Equal([-0.001953125f, -1, -448], new[] { 0x81, 0xb8, 0xfe }.Select(i => values[i]));
        Assert.Equal([0x7f, 0xff], Enumerable.Range(0, 256).Where(i => float.IsNaN(values[i])));
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static FamilyCase Case(NaiveModel model, string config = """{"model_type":"llama"}""") => new(config, model);

    private static string Write(NaiveModel model, string config = """{"model_type":"llama"}""", Action<Dictionary<string, float[]>>? change = null,
        params (string Name, string Type, byte[] Bytes, long[] Shape)[] more)
    {
        var one = Case(model, config);
        change?.Invoke(one.Weights);
        var folder = one.Write();
        TinySafeTensors.Write(Path.Combine(folder, Checkpoint.WeightsFile),
            [.. model.Tensors().Select(t => (t.Name, "F32", Bytes(one.Weights[t.Name]), t.Shape)), .. more]);
        return folder;
    }

    /// <summary>Projections as random bytes, scales as bfloat16 that differ between blocks of 16 × 24.</summary>
    private static (string Folder, Dictionary<string, float[]> Weights) WriteFloat8(string quantization)
    {
        var one = Case(Plain);
        var folder = one.Write();
        var random = new Random(5);
        List<(string, string, byte[], long[])> tensors = [];
        foreach (var (name, shape) in Plain.Tensors())
        {
            if (!name.Contains("_proj", StringComparison.Ordinal))
            {
                tensors.Add((name, "F32", Bytes(one.Weights[name]), shape));
                continue;
            }

            // Up to 15: bits 0x57 and below, with a sign.
            byte[] bytes = [.. Enumerable.Range(0, (int)(shape[0] * shape[1])).Select(_ => (byte)(random.Next(0x58) | (random.Next(2) << 7)))];
            long[] blocks = [(shape[0] + 15) / 16, (shape[1] + 23) / 24];
            // Powers of two: halves of float32 without rounding.
            float[] scales = [.. Enumerable.Range(0, (int)(blocks[0] * blocks[1])).Select(i => MathF.Pow(2, -6 - (i % 3)))];
            byte[] halves = [.. scales.SelectMany(scale => BitConverter.GetBytes(scale)[2..])];
            tensors.AddRange([(name, "F8_E4M3", bytes, shape), ($"{name}_scale_inv", "BF16", halves, blocks)]);
            one.Weights[name] = [.. bytes.Select((value, i) =>
                Value(value) * scales[(i / shape[1] / 16 * blocks[1]) + (i % shape[1] / 24)])];
        }

        TinySafeTensors.Write(Path.Combine(folder, Checkpoint.WeightsFile), tensors);
        var path = Path.Combine(folder, ModelFiles.ConfigFile);
        var json = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        json["quantization_config"] = JsonNode.Parse(quantization);
        File.WriteAllText(path, json.ToJsonString());
        return (folder, one.Weights);
    }

    private static float Value(byte bits)
    {
        var (sign, exponent, fraction) = (bits >> 7 == 1 ? -1 : 1, (bits >> 3) & 15, bits & 7);
        return sign * (exponent == 0 ? fraction / 8f / 64 : (1 + (fraction / 8f)) * MathF.Pow(2, exponent - 7));
    }

    private static byte[] Bytes(float[] values) => MemoryMarshal.AsBytes(values.AsSpan()).ToArray();

    private static (long Bytes, long Parameters) Graph(string folder, Precision precision)
    {
        using var checkpoint = Checkpoint.Open(folder);
        var graph = DecoderGraph.Build(checkpoint, new DecoderGraphOptions { Precision = precision });
        return (graph.Bytes, graph.Parameters);
    }

    private static void AssertLogits(NaiveDecoder expected, string folder)
    {
        using var session = new GraphSession(folder, allLogits: true);
        var ids = FamilyCase.Ids(20);
        Assert.InRange(expected.Logits(ids).Zip(session.Step(ids, ids.Length), (a, b) => Math.Abs(a - b)).Max(), 0, 1e-4);
    }

    private string Build(string folder, params Precision[] precisions) =>
        CheckpointBuilder.Build(folder, Path.Combine(_root, "models", "tiny"), "tiny", TimeProvider.System, precisions).Path;

    /// <summary>One sentence, and nothing was made.</summary>
    private void AssertRefused(string message, string folder, params Precision[] precisions)
    {
        var said = Assert.Throws<InvalidModelException>(() => Build(folder, precisions)).Message;
        Assert.Contains(message, said, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', said);
        Assert.False(Directory.Exists(Path.Combine(_root, "models")));
    }
}
