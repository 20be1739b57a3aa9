using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder;
using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.ModelBuilder.Onnx;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.ModelBuilder.Calibration;

/// <summary>Models built with keys and values in 8 bits.</summary>
public sealed class KvBuildTests : IDisposable
{
    private const int KeyScaleAt = 12, Int8Type = 3;

    private readonly ModelRepository _repository = new(Directory.CreateTempSubdirectory("r1-kv-").FullName);

    public static TheoryData<string> Checkpoints => ReferenceCheckpoints.Names;

    [Theory]
    [MemberData(nameof(Checkpoints))]
    public void Every_attention_of_every_variant_has_scales_that_are_steps(string name)
    {
        var model = Build(ReferenceCheckpoints.Folder(name), Precision.Fp32, Precision.Int4);
        foreach (var variant in model.Manifest.Variants)
        {
            Assert.Equal(KvFormat.Int8, variant.Kv);
            var graph = ModelProto.Parser.ParseFrom(File.ReadAllBytes(model.GraphPath(variant))).Graph;
            var attentions = graph.Node.Where(node => node.OpType == "GroupQueryAttention").ToList();
            Assert.Equal(model.Config.Layers, attentions.Count);
            foreach (var attention in attentions)
            {
                Assert.Equal(["PER_CHANNEL", "PER_CHANNEL"],
                    ((string[])["k_quant_type", "v_quant_type"]).Select(a => Attribute(attention, a).S.ToStringUtf8()));
                Assert.Equal(8, Attribute(attention, "kv_cache_bit_width").I);
                Assert.Equal(KeyScaleAt + 2, attention.Input.Count);
                foreach (var scale in attention.Input.Skip(KeyScaleAt))
                    Assert.All(Read(graph, scale), step => Assert.True(float.IsFinite(step) && step > 0));
            }

            var kept = graph.Input.Concat(graph.Output)
                .Where(value => value.Name.Contains(".key", StringComparison.Ordinal) || value.Name.Contains(".value", StringComparison.Ordinal))
                .ToList();
            Assert.Equal(4 * model.Config.Layers, kept.Count);
            Assert.All(kept, value => Assert.Equal(Int8Type, value.Type.TensorType.ElemType));
        }
    }

    [Fact]
    public void Steps_are_those_of_the_model_s_own_text_and_the_same_in_every_build()
    {
        var graphs = Enumerable.Range(0, 2).Select(_ => Build(TestModels.NanoCheckpoint, Precision.Fp32))
            .Select(model => ModelProto.Parser.ParseFrom(File.ReadAllBytes(model.GraphPath(model.Manifest.Variants[0]))).Graph).ToArray();
        foreach (var name in graphs[0].Initializer.Select(constant => constant.Name).Where(name => name.EndsWith("_scale", StringComparison.Ordinal)))
        {
            var steps = Read(graphs[0], name);
            Assert.Equal(steps, Read(graphs[1], name));
            Assert.True(steps.Distinct().Count() > steps.Length / 4, "channels differ");
        }
    }

    [Fact]
    public void Nothing_of_the_calibration_stays_and_the_progress_ends_with_the_whole()
    {
        List<BuildProgress> reports = [];
        var model = CheckpointBuilder.Build(
            ReferenceCheckpoints.Folder("qwen2"), _repository.FolderOf("tiny"), "tiny", TimeProvider.System, [Precision.Fp32, Precision.Fp16],
            new Recorder(reports), kv: KvFormat.Int8);
        Assert.Equal(reports[^1].TotalBytes, reports[^1].WrittenBytes);
        Assert.Equal(reports.OrderBy(report => report.WrittenBytes), reports);
        Assert.Empty(Directory.GetDirectories(model.Path));
        Assert.Empty(Directory.GetFiles(model.Path, ".*"));
        Assert.Equal([KvFormat.Int8, KvFormat.Int8], ModelFolder.Open(model.Path).Manifest.Variants.Select(variant => variant.Kv));
    }

    [Fact]
    public void A_model_that_keeps_8_bits_is_kept_and_does_so_when_variants_are_added()
    {
        var checkpoint = ReferenceCheckpoints.Folder("qwen2");
        var built = Build(checkpoint, Precision.Fp32);
        Assert.Equal(built.Manifest.Created, _repository.EnsureBuilt(checkpoint, "tiny", TimeProvider.System, [Precision.Fp32]).Manifest.Created);
        var more = _repository.EnsureBuilt(checkpoint, "tiny", TimeProvider.System, [Precision.Fp32, Precision.Int8]);
        Assert.Equal([(Precision.Fp32, KvFormat.Int8), (Precision.Int8, KvFormat.Int8)],
            more.Manifest.Variants.Select(variant => (variant.Precision, variant.Kv)));
    }

    [Fact]
    public void Keys_that_are_no_numbers_are_refused_with_what_to_do_and_leave_nothing()
    {
        var folder = ReferenceCheckpoints.Copy("llama-bias");
        var path = Checkpoint.WeightFiles(folder)[0];
        long at;
        using (var file = SafeTensors.Open(path)) at = file.Tensors["model.layers.0.self_attn.k_proj.bias"].Offset;
        using (var stream = File.OpenWrite(path))
        {
            // Numbers, but a pair that is turned: their sum is none.
            foreach (var (channel, value) in ((int, float)[])[(0, float.MaxValue), (8, float.MinValue)])
            {
                stream.Position = at + (channel * sizeof(float));
                stream.Write(BitConverter.GetBytes(value));
            }
        }

        var error = Assert.Throws<InvalidModelException>(() => Build(folder, Precision.Fp32));
        Assert.Contains("layer 0 are not finite", error.Message, StringComparison.Ordinal);
        Assert.Contains("--kv auto", error.Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_repository.Path));
    }

    [Fact]
    public void A_manifest_without_a_word_on_keys_and_values_is_one_of_before()
    {
        var model = CheckpointBuilder.Build(ReferenceCheckpoints.Folder("llama"), _repository.FolderOf("old"), "old", TimeProvider.System);
        var path = Path.Combine(model.Path, ModelManifest.FileName);
        var text = File.ReadAllText(path);
        Assert.Contains("\"kv\": \"Auto\",", text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace("\"kv\": \"Auto\",", "", StringComparison.Ordinal));
        Assert.Equal(KvFormat.Auto, ModelManifest.Load(path).Variants[0].Kv);
    }

    public void Dispose() => Directory.Delete(_repository.Path, recursive: true);

    private ModelFolder Build(string checkpoint, params Precision[] precisions) =>
        CheckpointBuilder.Build(checkpoint, _repository.FolderOf("tiny"), "tiny", TimeProvider.System, precisions, kv: KvFormat.Int8);

    private static AttributeProto Attribute(NodeProto node, string name) => node.Attribute.Single(attribute => attribute.Name == name);

    private static float[] Read(GraphProto graph, string name) =>
        System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(graph.Initializer.Single(constant => constant.Name == name).RawData.Span)
            .ToArray();

    private sealed class Recorder(List<BuildProgress> reports) : IProgress<BuildProgress>
    {
        public void Report(BuildProgress value) => reports.Add(value);
    }
}
