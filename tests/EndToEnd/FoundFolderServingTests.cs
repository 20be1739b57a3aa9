using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Tests.Engine.ModelHosting;
using R1Serverless.Tests.Engine.Runtime;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>`r1 serve --model FOLDER` on folders as they are found, made of the shipped model.</summary>
public sealed class FoundFolderServingTests : IDisposable
{
    private readonly string _parent = Directory.CreateTempSubdirectory("r1-found-serving-").FullName;

    [Fact]
    public async Task A_genai_folder_answers()
    {
        var folder = Make("nano-genai", "genai_config.json", ModelFiles.TokenizerFile);
        File.Copy(TestModels.NanoGraph, Path.Combine(folder, "model.onnx"));
        await using var server = await ServeProcess.StartAsync("--model", folder);
        Assert.Equal(("42", "fp32"), await AskAsync(server, "nano-genai", "auto"));
    }

    [Fact]
    public async Task A_community_folder_answers_with_each_variant_and_auto_goes_by_what_was_measured()
    {
        var folder = MakeCommunity("nano-community");
        foreach (var variant in TestModels.Nano.Manifest.Variants)
            File.Copy(TestModels.Nano.GraphPath(variant), Path.Combine(folder, "onnx", variant.File));
        var found = ModelFolder.Open(folder);
        foreach ((var precision, var speed) in ((Precision, double)[])[(Precision.Fp32, 1000), (Precision.Int8, 2000)])
        {
            var file = found.Manifest.Variants.Single(variant => variant.Precision == precision).File;
            await StoredEvaluations.UpdateAsync(found, now => now.WithEvaluation(file, Measured.On("cpu", 0, speed)), TimeProvider.System,
                TestContext.Current.CancellationToken);
        }

        await using var server = await ServeProcess.StartAsync("--model", folder);
        Assert.Equal(("42", "int8"), await AskAsync(server, "nano-community", "auto"));
        Assert.Equal(("42", "fp32"), await AskAsync(server, "nano-community", "fp32"));
        Assert.Equal(("42", "fp16"), await AskAsync(server, "nano-community", "fp16"));
    }

    [Fact]
    public async Task A_graph_without_a_cache_is_refused_with_the_command_that_makes_one()
    {
        var folder = MakeCommunity("cacheless");
        new RewrittenGraph().WithoutCache().Save(Path.Combine(folder, "onnx", "model.onnx"));
        (var code, var output) = await ServeProcess.RefusedAsync("--urls", "http://127.0.0.1:0", "--model", folder);
        Assert.Equal(1, code);
        Assert.Contains("no KV cache", output, StringComparison.Ordinal);
        Assert.Contains("`r1 model build <checkpoint>` makes one", output, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_parent, recursive: true);

    private static async Task<(string Answer, string Variant)> AskAsync(ServeProcess server, string model, string precision)
    {
        var body =
            $$"""{"model":"{{model}}","messages":[{"role":"user","content":"What is 12 + 30?"}],"temperature":0,"precision":"{{precision}}"}""";
        var response = await server.Client.PostAsync(
            new Uri("/v1/chat/completions", UriKind.Relative), new StringContent(body, Encoding.UTF8, "application/json"),
            TestContext.Current.CancellationToken);
        using var answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        var content = answer.RootElement.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString();
        return (content!.Trim(), response.Headers.GetValues("x-r1-variant").Single().Split("; ")[0]);
    }

    private string MakeCommunity(string name)
    {
        var folder = Make(name, ModelFiles.ConfigFile, ModelFiles.GenerationFile, ModelFiles.TokenizerFile);
        Directory.CreateDirectory(Path.Combine(folder, "onnx"));
        return folder;
    }

    private string Make(string name, params string[] files)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_parent, name)).FullName;
        foreach (var file in files) File.Copy(Path.Combine(TestModels.Nano.Path, file), Path.Combine(folder, file));
        return folder;
    }
}
