using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Models;
using R1Serverless.Models.Folders;

namespace R1Serverless.Tests.Commands;

/// <summary>`r1 model evaluate` in a process of its own, on r1-nano.</summary>
public sealed class EvaluateCommandTests : IDisposable
{
    private const string Right = """{"family": "add", "prompt": "What is 7955 + 19?", "answer": "7974"}""";
    private const string Wrong = """{"family": "odd", "prompt": "What is 1 + 1?", "answer": "of course 2"}""";

    private readonly string _folder = Directory.CreateTempSubdirectory("r1-evaluate-").FullName;

    [Fact]
    public async Task Two_variants_of_one_graph_are_equal_and_the_manifest_keeps_it()
    {
        var model = Copy();
        var (code, output, errors) =
            await ModelCommandTests.RunAsync("model", "evaluate", model, "--tasks", await TasksAsync(Right, Wrong), "--rounds", "1", "--json");
        Assert.True(code == 0, errors);
        var variants = JsonDocument.Parse(output).RootElement.GetProperty("variants");
        foreach (var variant in variants.EnumerateArray())
        {
            Assert.Equal(0.5, variant.GetProperty("total").GetProperty("accuracy").GetDouble());
            Assert.Equal((1, 0), (variant.GetProperty("token_agreement").GetDouble(), variant.GetProperty("kl_divergence").GetDouble()));
            Assert.All(new[] { "1", "8", "32" }, rows => Assert.True(variant.GetProperty("tokens_per_second").GetProperty(rows).GetDouble() > 0));
            Assert.True(variant.GetProperty("memory_bytes").GetInt64() > 1_000_000);
        }

        Assert.True(variants[1].GetProperty("compared_tokens").GetInt32() > 10);
        var kept = ModelFolder.Open(model).Manifest.Variants;
        Assert.Equal([Precision.Fp32, Precision.Int8], kept.Select(v => v.Precision));
        Assert.All(kept,
            v => Assert.Equal(("cpu", 2, 0.5), (v.Evaluations.Single().Device, v.Evaluations.Single().Tasks, v.Evaluations.Single().Accuracy)));
        Assert.Contains("Kept in ", errors);
    }

    [Theory]
    [InlineData("no tasks", "holds no tasks")]
    [InlineData("bad line", "line 1")]
    [InlineData("absent", "absent.jsonl does not exist")]
    public async Task A_wrong_tasks_file_is_said_in_one_line(string kind, string words)
    {
        var tasks = kind switch
        {
            "no tasks" => await TasksAsync(""),
            "bad line" => await TasksAsync("[1]"),
            _ => Path.Combine(_folder, "absent.jsonl")
        };
        await RefusesAsync(words, "--tasks", tasks);
    }

    [Fact]
    public async Task A_precision_that_the_model_lacks_is_said_in_one_line() =>
        await RefusesAsync("has no int4 variant; it has fp32, int8.", "--tasks", await TasksAsync(Right), "--precision", "int8,int4");

    [Fact]
    public async Task A_word_that_is_no_precision_is_said_in_one_line() =>
        await RefusesAsync("'fp7' is no precision; there are fp32, fp16, int8, int4.", "--tasks", await TasksAsync(Right), "--precision", "fp7");

    [Fact]
    public async Task A_device_that_this_build_lacks_is_said_in_one_line() =>
        await RefusesAsync("has no CUDA", "--tasks", await TasksAsync(Right), "--device", "cuda");

    [Fact]
    public async Task A_model_without_tasks_says_what_to_do() => await RefusesAsync("name a file of tasks with --tasks");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private async Task RefusesAsync(string words, params string[] options)
    {
        var model = Copy();
        File.Delete(Path.Combine(model, ModelFiles.EvaluationFile));
        var (code, output, errors) = await ModelCommandTests.RunAsync(["model", "evaluate", model, .. options]);
        Assert.Equal((1, ""), (code, output.Trim()));
        Assert.StartsWith("error: ", errors, StringComparison.Ordinal);
        Assert.Contains(words, errors);
        Assert.Single(errors.Trim().Split('\n'));
    }

    private async Task<string> TasksAsync(params string[] lines)
    {
        var path = Path.Combine(_folder, "tasks.jsonl");
        await File.WriteAllLinesAsync(path, lines, TestContext.Current.CancellationToken);
        return path;
    }

    /// <summary>r1-nano with its FP32 graph twice, the second time under another name.</summary>
    private string Copy()
    {
        var path = Directory.CreateDirectory(Path.Combine(_folder, "model")).FullName;
        foreach (var file in Directory.EnumerateFiles(TestModels.Nano.Path))
            File.Copy(file, Path.Combine(path, Path.GetFileName(file)), overwrite: true);
        var exact = TestModels.Nano.Manifest.Variants.First(v => v.Precision == Precision.Fp32);
        File.Copy(TestModels.Nano.GraphPath(exact), Path.Combine(path, "twin.onnx"), overwrite: true);
        (TestModels.Nano.Manifest with { Variants = [exact, exact with { Precision = Precision.Int8, File = "twin.onnx" }] }).Save(
            Path.Combine(path, ModelManifest.FileName));
        return path;
    }
}
