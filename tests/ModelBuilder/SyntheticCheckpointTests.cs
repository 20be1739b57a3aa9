using R1Serverless.ModelBuilder.Checkpoints;
using R1Serverless.Models.Tokenization;

namespace R1Serverless.Tests.ModelBuilder;

public sealed class SyntheticCheckpointTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("r1-synthetic-").FullName;

    [Fact]
    public void Large_shapes_are_written_as_bfloat16_with_an_index_and_a_head_of_their_own()
    {
        var shape = new SyntheticShape(Hidden: 32, Layers: 1, Heads: 2, KeyValueHeads: 1, HeadSize: 16, Intermediate: 48, Vocabulary: 300,
            Context: 64)
        {
            TiedEmbeddings = false, BFloat16 = true,
        };
        SyntheticCheckpoint.Write(_folder, shape, ReferenceCheckpoints.Folder("qwen2"));
        using var checkpoint = Checkpoint.Open(_folder);
        Assert.Equal("model-00001-of-00001.safetensors", Path.GetFileName(Assert.Single(Checkpoint.WeightFiles(_folder))));
        var head = checkpoint.Tensor("lm_head.weight", 300, 32);
        Assert.Equal(SafeTensorType.BF16, head.Tensor.Type);
        var values = new float[300 * 32];
        head.Read(0, values);
        Assert.InRange(Math.Sqrt(values.Average(value => value * value)), 0.019, 0.021);
        Assert.False(checkpoint.Config.TiedEmbeddings);
        var norm = new float[32];
        checkpoint.Tensor("model.norm.weight", 32).Read(0, norm);
        Assert.All(norm, value => Assert.Equal(1, value));
    }

    /// <summary>As a real one of its size would be: a vocabulary that text reaches by merging.</summary>
    [Fact]
    public void Its_tokenizer_has_as_many_merges_as_its_vocabulary_needs()
    {
        const int Size = 20_000;
        SyntheticTokenizer.Write(_folder, Size, TestModels.NanoCheckpoint);
        var path = Path.Combine(_folder, "tokenizer.json");
        var file = TokenizerFile.Read(path);
        var tokenizer = HuggingFaceTokenizer.Load(path);
        Assert.Equal(Size, tokenizer.VocabularySize);
        Assert.InRange(file.Merges.Count, Size * 9 / 10, Size);
        Assert.Equal([Size - 1], tokenizer.Encode(System.Text.Encoding.UTF8.GetString(tokenizer.Bytes(Size - 1)), recogniseAdded: false));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
