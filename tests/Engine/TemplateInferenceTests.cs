using System.Text.Json.Nodes;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Inference;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Steps;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.Engine;

/// <summary>What a folder's chat template means for an answer: where it stops, where its reasoning is, and what the template refuses.</summary>
public sealed class TemplateInferenceTests : IDisposable
{
    private static readonly string NanoTemplate =
        (string)JsonNode.Parse(File.ReadAllText(Path.Combine(TestModels.NanoCheckpoint, ModelFiles.TokenizerConfigFile)))!["chat_template"]!;

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-template-").FullName;

    [Fact]
    public async Task An_answer_stops_at_the_templates_end_whatever_token_the_configuration_names()
    {
        var folder = Make(NanoTemplate, endToken: 20);
        var folded = await AskAsync(folder, new Prompt.Chat([new ChatMessage(ChatRole.User, "What is 12 + 30?")]));
        Assert.Equal((FinishReason.Stop, "42"), (folded.Choices[0].Reason, folded.Choices[0].Text(DeltaKind.Answer).Trim()));
        Assert.NotEmpty(folded.Choices[0].Text(DeltaKind.Reasoning));
    }

    [Fact]
    public async Task Without_effort_there_is_no_reasoning()
    {
        var folder = Make(NanoTemplate, endToken: 1);
        var folded = await AskAsync(folder, new Prompt.Chat([new ChatMessage(ChatRole.User, "What is 12 + 30?")]) { ReasoningEffort = "none" });
        Assert.Equal(("", 0), (folded.Choices[0].Text(DeltaKind.Reasoning), folded.Usage!.ReasoningTokens));
        Assert.NotEmpty(folded.Choices[0].Text(DeltaKind.Answer));
    }

    [Theory]
    [InlineData("{{ raise_exception('Not from a ' + messages[0].role) }}", "The model's chat template refuses the conversation: Not from a user")]
    [InlineData(
        "{{ messages[0].content + 1 }}",
        "The model's chat template fails on the conversation: '+' can't join a string and an integer. (line 1, column 24)")]
    [InlineData(
        "{{ messages",
        "The model's chat template can't be used: This output is not closed. (line 1, column 1) /v1/completions works without it.")]
    public async Task What_a_template_refuses_is_the_clients_to_mend(string template, string message)
    {
        var folded = await AskAsync(Make(template, endToken: 1), new Prompt.Chat([new ChatMessage(ChatRole.User, "Hi")]));
        Assert.Equal((InferenceErrorKind.InvalidRequest, "messages", message), (folded.Error!.Kind, folded.Error.Field, folded.Error.Message));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static async Task<InferenceResult> AskAsync(ModelFolder folder, Prompt prompt)
    {
        RuntimeOptions runtime = new() { Threads = 2 };
        var variant = LoadedVariant.OpenAlone(folder, folder.Manifest.Variants[0], runtime, new EngineOptions(), TimeProvider.System);
        await using var inference = new LocalInference([variant]);
        InferenceRequest request = new()
        {
            Id = RequestId.New(), Model = folder.Name, MaxTokens = 200, Sampling = new() { Temperature = 0 }, Prompt = prompt,
        };
        ResultFold fold = new(request.Id);
        await foreach (var inferenceEvent in inference.RunAsync(request, TestContext.Current.CancellationToken)) fold.Add(inferenceEvent);
        return fold.Result();
    }

    private ModelFolder Make(string template, int endToken)
    {
        foreach (var file in Directory.EnumerateFiles(TestModels.Nano.Path)) File.Copy(file, Path.Combine(_folder, Path.GetFileName(file)));
        JsonObject config = new()
        {
            ["chat_template"] = template, ["bos_token"] = "<｜begin▁of▁sentence｜>", ["eos_token"] = "<｜end▁of▁sentence｜>",
        };
        File.WriteAllText(Path.Combine(_folder, ModelFiles.TokenizerConfigFile), config.ToJsonString());
        File.WriteAllText(Path.Combine(_folder, ModelFiles.GenerationFile), $$"""{"eos_token_id": {{endToken}}, "do_sample": false}""");
        return ModelFolder.Open(_folder);
    }
}
