using System.Text.Json.Nodes;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Runtime;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.Engine.Runtime;

namespace R1Serverless.Tests.Models;

/// <summary>Folders as other programs lay them out, made of the shipped model: they answer as it does, or say why they can't.</summary>
public sealed class FoundFolderTests : IDisposable
{
    private const string GenaiConfig = "genai_config.json";

    private readonly string _parent = Directory.CreateTempSubdirectory("r1-found-").FullName;

    [Fact]
    public async Task A_genai_folder_with_names_of_its_own_answers()
    {
        var folder = MakeGenai("Nano (int4)");
        new RewrittenGraph().WithPositions()
            .Renamed(("input_ids", "tokens"), ("attention_mask", "mask"), ("past_key_values.", "kv_in."), ("present.", "kv_out."),
            ("logits", "scores"))
            .Save(Path.Combine(folder, "decoder.onnx"));
        Edit(folder, decoder =>
        {
            decoder["filename"] = "decoder.onnx";
            decoder["inputs"] = new JsonObject
            {
                ["input_ids"] = "tokens", ["attention_mask"] = "mask", ["past_key_names"] = "kv_in.%d.key", ["past_value_names"] = "kv_in.%d.value",
            };
            decoder["outputs"] =
                new JsonObject { ["logits"] = "scores", ["present_key_names"] = "kv_out.%d.key", ["present_value_names"] = "kv_out.%d.value" };
        });

        var model = ModelFolder.Open(folder);
        Assert.Equal(("Nano--int4-", FolderLayout.Genai, TestModels.Nano.Config.ContextLength),
            (model.Name, model.Manifest.Layout, model.Config.ContextLength));
        Assert.Equal(TestModels.Nano.Generation.EndTokens, model.Generation.EndTokens);
        Assert.Equal([Precision.Fp32], model.Manifest.Variants.Select(v => v.Precision));
        Assert.False(File.Exists(Path.Combine(folder, ModelManifest.FileName)));
        Assert.Equal(await AnswerAsync(TestModels.Nano), await AnswerAsync(model));
        using var loop = new RawLoop(model.GraphPath(model.Manifest.Variants[0]), new RuntimeOptions(), model.Names);
        Assert.True(loop.Run(1, 8, 2) > TimeSpan.Zero);
    }

    [Fact]
    public async Task A_community_folder_has_a_variant_per_precision()
    {
        var folder = MakeCommunity("nano-ONNX");
        new RewrittenGraph().WithPositions().Save(Path.Combine(folder, "onnx", "model.onnx"));
        new RewrittenGraph().WithPositions().WithHalfCache().WithHalfWeights().WithHalfLogits().Save(Path.Combine(folder, "onnx", "model_fp16.onnx"));
        await File.WriteAllTextAsync(Path.Combine(folder, "onnx", "model_q4.onnx"), "version https://git-lfs.github.com/spec/v1\n",
            TestContext.Current.CancellationToken);

        var model = ModelFolder.Open(folder);
        Assert.Equal([Precision.Fp32, Precision.Fp16], model.Manifest.Variants.Select(v => v.Precision));
        Assert.True(model.Manifest.Variants[1].Bytes < model.Manifest.Variants[0].Bytes * 0.6);
        var expected = await AnswerAsync(TestModels.Nano);
        Assert.Contains("42", expected);
        Assert.Equal([expected, expected], [await AnswerAsync(model), await AnswerAsync(model, variant: 1)]);
    }

    [Fact]
    public async Task Weights_may_lie_in_several_files_which_may_be_links()
    {
        var folder = Path.Combine(MakeCommunity("parted"), "onnx");
        new RewrittenGraph().WithPositions().Save(Path.Combine(folder, "model.onnx"), "model.onnx_data", "model.onnx_data_1");
        var bytes = Directory.EnumerateFiles(folder).Sum(file => new FileInfo(file).Length);
        // Not outside of the folder, where ONNX Runtime reads nothing.
        var kept = Path.Combine(folder, "kept");
        File.Move(Path.Combine(folder, "model.onnx_data_1"), kept);
        File.CreateSymbolicLink(Path.Combine(folder, "model.onnx_data_1"), kept);

        var model = ModelFolder.Open(Path.GetDirectoryName(folder)!);
        var variant = Assert.Single(model.Manifest.Variants);
        Assert.Equal(["model.onnx_data", "model.onnx_data_1"], variant.DataFiles.Select(Path.GetFileName).Order());
        Assert.Equal(bytes, variant.Bytes);
        Assert.Contains("42", await AnswerAsync(model));
    }

    [Fact]
    public void A_repository_lists_folders_as_found()
    {
        new RewrittenGraph().Save(Path.Combine(MakeCommunity("nano-ONNX"), "onnx", "model.onnx"));
        Assert.Equal(["nano-ONNX"], new ModelRepository(_parent).List().Select(m => m.Name));
    }

    [Fact]
    public void A_cache_that_grows_by_copies_is_refused_with_a_way_out()
    {
        var folder = MakeCommunity("plain");
        new RewrittenGraph().WithPlainAttention().Save(Path.Combine(folder, "onnx", "model.onnx"));
        AssertInvalid(folder, "keys and values go through Concat", "instead of GroupQueryAttention", "`r1 model build <checkpoint>`");
    }

    [Fact]
    public void A_graph_without_a_cache_is_refused()
    {
        var folder = MakeCommunity("cacheless");
        new RewrittenGraph().WithoutCache().Save(Path.Combine(folder, "onnx", "model.onnx"));
        AssertInvalid(folder, "no KV cache", "`r1 model build <checkpoint>`");
    }

    [Fact]
    public void A_pointer_in_place_of_the_file_is_called_that()
    {
        var folder = MakeCommunity("pointer");
        File.WriteAllText(Path.Combine(folder, "onnx", "model.onnx"), "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
        AssertInvalid(folder, "git lfs pull");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100)]
    [InlineData(500_000)]
    public void A_file_that_is_cut_off_is_called_damaged(int length)
    {
        var folder = MakeCommunity("cut");
        var path = Path.Combine(folder, "onnx", "model.onnx");
        File.WriteAllBytes(path, File.ReadAllBytes(TestModels.NanoGraph)[..length]);
        AssertInvalid(folder, "no ONNX graph, or is damaged");
    }

    [Fact]
    public void A_tokenizer_that_was_not_downloaded_is_asked_for()
    {
        var folder = MakeCommunity("wordless");
        new RewrittenGraph().Save(Path.Combine(folder, "onnx", "model.onnx"));
        File.Delete(Path.Combine(folder, ModelFiles.TokenizerFile));
        AssertInvalid(folder, "lacks the file tokenizer.json: download it as well");
    }

    [Theory]
    [InlineData("filename", "\"../model.onnx\"", "must name a file in the same folder")]
    [InlineData("filename", "null", "model.decoder.filename is missing")]
    [InlineData("pipeline", "[]", "several graphs")]
    [InlineData("filename", "\"absent.onnx\"", "absent.onnx does not exist")]
    public void A_config_that_makes_no_sense_names_its_field(string field, string value, string message)
    {
        var folder = MakeGenai("odd");
        Edit(folder, decoder => decoder[field] = JsonNode.Parse(value));
        AssertInvalid(folder, message);
    }

    [Fact]
    public void Any_other_folder_is_no_model() => AssertInvalid(_parent, "is no model folder");

    public void Dispose() => Directory.Delete(_parent, recursive: true);

    private static void AssertInvalid(string folder, params string[] parts)
    {
        var message = Assert.Throws<InvalidModelException>(() => ModelFolder.Open(folder)).Message;
        foreach (var part in parts) Assert.Contains(part, message);
    }

    private static async Task<string> AnswerAsync(ModelFolder folder, int variant = 0)
    {
        await using var inference =
            new LocalInference(
                [LoadedVariant.OpenAlone(folder, folder.Manifest.Variants[variant], new RuntimeOptions { Threads = 2 }, new EngineOptions(),
                TimeProvider.System)]);
        var request = new InferenceRequest
        {
            Id = RequestId.New(), Model = folder.Name, MaxTokens = 100, Sampling = new() { Temperature = 0 },
            Prompt = new Prompt.Chat([new ChatMessage(ChatRole.User, "What is 12 + 30?")]),
        };
        var text = "";
        await foreach (var inferenceEvent in inference.RunAsync(request, TestContext.Current.CancellationToken))
        {
            if (inferenceEvent is InferenceEvent.Delta delta) text += delta.Text;
        }

        return text;
    }

    private static void Edit(string folder, Action<JsonObject> change)
    {
        var path = Path.Combine(folder, GenaiConfig);
        var json = JsonNode.Parse(File.ReadAllText(path))!;
        change(json["model"]!["decoder"]!.AsObject());
        File.WriteAllText(path, json.ToJsonString());
    }

    /// <summary>The built model without what only our builder writes or reads.</summary>
    private string MakeGenai(string name) => Make(name, GenaiConfig);

    private string MakeCommunity(string name)
    {
        var folder = Make(name, ModelFiles.ConfigFile, ModelFiles.GenerationFile);
        Directory.CreateDirectory(Path.Combine(folder, "onnx"));
        return folder;
    }

    private string Make(string name, params string[] files)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_parent, name)).FullName;
        foreach (var file in files.Append(ModelFiles.TokenizerFile).Append(ModelFiles.TokenizerConfigFile))
        {
            if (File.Exists(Path.Combine(TestModels.Nano.Path, file)))
                File.Copy(Path.Combine(TestModels.Nano.Path, file), Path.Combine(folder, file));
        }

        return folder;
    }
}
