using System.Text;
using System.Text.Json;
using R1Serverless.Models;
using R1Serverless.Requests;
using R1Serverless.Tests.Generation;
using R1Serverless.Tests.Runtime;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>`r1 serve --model FOLDER` on folders as they are found, made of the shipped model.</summary>
public sealed class FoundFolderServingTests : IDisposable
{
    private readonly string _parent = Directory.CreateTempSubdirectory("r1-found-serving-").FullName;

    [Fact]
    public async Task A_genai_folder_answers()
    {
        string folder = Make("nano-genai", "genai_config.json", ModelFolder.TokenizerFile);
        File.Copy(TestModels.NanoGraph, Path.Combine(folder, "model.onnx"));
        await using ServeProcess server = await ServeProcess.StartAsync("--model", folder);
        Assert.Equal(("42", "fp32"), await AskAsync(server, "nano-genai", "auto"));
    }

    [Fact]
    public async Task A_community_folder_answers_with_each_variant_and_auto_goes_by_what_was_measured()
    {
        string folder = MakeCommunity("nano-community");
        foreach (ModelVariant variant in TestModels.Nano.Manifest.Variants) File.Copy(TestModels.Nano.GraphPath(variant), Path.Combine(folder, "onnx", variant.File));
        ModelFolder found = ModelFolder.Open(folder);
        foreach ((Precision precision, double speed) in ((Precision, double)[])[(Precision.Fp32, 1000), (Precision.Int8, 2000)])
        {
            string file = found.Manifest.Variants.Single(variant => variant.Precision == precision).File;
            await KeptEvaluations.UpdateAsync(found, now => now.WithEvaluation(file, Measured.On("cpu", 0, speed)), TimeProvider.System, TestContext.Current.CancellationToken);
        }

        await using ServeProcess server = await ServeProcess.StartAsync("--model", folder);
        Assert.Equal(("42", "int8"), await AskAsync(server, "nano-community", "auto"));
        Assert.Equal(("42", "fp32"), await AskAsync(server, "nano-community", "fp32"));
        Assert.Equal(("42", "fp16"), await AskAsync(server, "nano-community", "fp16"));
    }

    [Fact]
    public async Task A_graph_without_a_cache_is_refused_with_the_command_that_makes_one()
    {
        string folder = MakeCommunity("cacheless");
        new RewrittenGraph().WithoutCache().Save(Path.Combine(folder, "onnx", "model.onnx"));
        (int code, string output) = await ServeProcess.RefusedAsync("--urls", "http://127.0.0.1:0", "--model", folder);
        Assert.Equal(1, code);
        Assert.Contains("no KV cache", output, StringComparison.Ordinal);
        Assert.Contains("`r1 model build <checkpoint>` makes one", output, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_parent, recursive: true);

    private static async Task<(string Answer, string Variant)> AskAsync(ServeProcess server, string model, string precision)
    {
        string body = $$"""{"model":"{{model}}","messages":[{"role":"user","content":"What is 12 + 30?"}],"temperature":0,"precision":"{{precision}}"}""";
        HttpResponseMessage response = await server.Client.PostAsync(
            new Uri("/v1/chat/completions", UriKind.Relative), new StringContent(body, Encoding.UTF8, "application/json"), TestContext.Current.CancellationToken);
        using JsonDocument answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        string? content = answer.RootElement.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString();
        return (content!.Trim(), response.Headers.GetValues("x-r1-variant").Single().Split("; ")[0]);
    }

    private string MakeCommunity(string name)
    {
        string folder = Make(name, ModelFolder.ConfigFile, ModelFolder.GenerationFile, ModelFolder.TokenizerFile);
        Directory.CreateDirectory(Path.Combine(folder, "onnx"));
        return folder;
    }

    private string Make(string name, params string[] files)
    {
        string folder = Directory.CreateDirectory(Path.Combine(_parent, name)).FullName;
        foreach (string file in files) File.Copy(Path.Combine(TestModels.Nano.Path, file), Path.Combine(folder, file));
        return folder;
    }
}
