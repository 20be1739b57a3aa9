using System.Diagnostics;
using R1Serverless.Abstractions;
using R1Serverless.ModelBuilder;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;
using R1Serverless.Tests.Engine.ModelHosting;
using R1Serverless.Tests.ModelBuilder;

namespace R1Serverless.Tests.Commands;

/// <summary>The commands as a user runs them: the executable in a process of its own.</summary>
public sealed class ModelCommandTests : IDisposable
{
    private readonly string _data = Directory.CreateTempSubdirectory("r1-data-").FullName;
    private readonly string _models;

    public ModelCommandTests() => _models = Directory.CreateDirectory(Path.Combine(_data, "models")).FullName;

    [Fact]
    public async Task Build_then_list()
    {
        var (code, output, _) =
            await RunAsync("model", "build", ReferenceCheckpoints.Folder("llama"), "--data", _data, "--name", "tiny", "--precision", "fp32");
        Assert.Equal(0, code);
        Assert.Contains("Built tiny: ", output);
        Assert.Contains("parameters", output);
        Assert.Contains(Path.Combine(_models, "tiny"), output);
        Assert.Contains($"r1 serve --model {Path.Combine(_models, "tiny")}", output);
        Assert.Equal("tiny", ModelFolder.Open(Path.Combine(_models, "tiny")).Name);

        Directory.CreateDirectory(Path.Combine(_models, "broken"));
        await File.WriteAllTextAsync(Path.Combine(_models, "broken", ModelManifest.FileName), "{", TestContext.Current.CancellationToken);
        var (listCode, list, warnings) = await RunAsync("model", "list", "--data", _data);
        Assert.Equal(0, listCode);
        Assert.Matches("broken +unusable", list);
        Assert.Matches("tiny +fp32 .* 128 ", list);
        Assert.Contains("warning: ", warnings);
    }

    [Fact]
    public async Task Precisions_come_as_a_list_or_one_by_one_and_unknown_ones_are_refused()
    {
        var target = Path.Combine(_models, "tiny");
        var (code, output, _) =
            await RunAsync("model", "build", ReferenceCheckpoints.Folder("llama"), "--output", target, "--precision", "int8,fp32", "--precision",
                "int4");
        Assert.Equal(0, code);
        Assert.Equal([Precision.Fp32, Precision.Int8, Precision.Int4],
            ModelFolder.Open(target).Manifest.Variants.Select(variant => variant.Precision));
        Assert.Matches("int4 +[0-9]", output);

        var (refused, _, error) = await RunAsync("model", "build", ReferenceCheckpoints.Folder("llama"), "--output", target, "--precision", "fp8");
        Assert.Equal(1, refused);
        Assert.Contains("'fp8'", error);
    }

    [Fact]
    public async Task Keys_and_values_in_8_bits_are_told_and_other_forms_refused()
    {
        var target = Path.Combine(_models, "tiny");
        var (code, output, _) =
            await RunAsync("model", "build", ReferenceCheckpoints.Folder("llama"), "--output", target, "--precision", "fp32,int8", "--kv", "int8");
        Assert.Equal(0, code);
        Assert.Matches("int8 +[0-9.]+ kB, keys and values in int8", output);
        Assert.All(ModelFolder.Open(target).Manifest.Variants, variant => Assert.Equal(KvFormat.Int8, variant.Kv));
        var (_, list, _) = await RunAsync("model", "list", "--data", _data);
        Assert.Matches("tiny +fp32 +int8 ", list);

        var (refused, _, error) =
            await RunAsync("model", "build", ReferenceCheckpoints.Folder("llama"), "--output", Path.Combine(_models, "other"), "--kv", "int4");
        Assert.Equal(1, refused);
        Assert.Contains("--kv must be auto or int8.", error);
        Assert.False(Directory.Exists(Path.Combine(_models, "other")));
    }

    [Fact]
    public async Task What_is_to_be_preloaded_is_checked_before_the_build_and_marked_with_it()
    {
        var target = Path.Combine(_models, "tiny");
        string[] build = ["model", "build", ReferenceCheckpoints.Folder("llama"), "--output", target, "--no-prepare", "--precision", "fp32"];
        var (refused, _, error) = await RunAsync([.. build, "--preload", "int8"]);
        Assert.Equal(1, refused);
        Assert.Contains("--preload int8", Assert.Single(error.Trim().Split('\n')));
        Assert.False(Directory.Exists(target));
        Assert.Equal(0, (await RunAsync([.. build, "--preload", "fp32"])).Code);
        Assert.True(Assert.Single(ModelFolder.Open(target).Manifest.Variants).Preload);
    }

    [Fact]
    public async Task List_tells_what_was_measured_of_each_variant()
    {
        CheckpointBuilder.Build(ReferenceCheckpoints.Folder("llama"), Path.Combine(_models, "tiny"), "tiny", TimeProvider.System);
        var path = Path.Combine(_models, "tiny", ModelManifest.FileName);
        var manifest = ModelManifest.Load(path);
        var variant = manifest.Variants[0];
        manifest = manifest with
        {
            Variants =
            [
                variant, variant with { Precision = Precision.Int8, Evaluations = [Measured.On("cpu", drop: 0.25, speed: 2398)] },
                variant with { Precision = Precision.Int4,
                    Evaluations = [Measured.On("cpu", drop: 3, speed: 4000), Measured.On("cuda", drop: 1, speed: 90_000)] },
            ],
        };
        manifest.Save(path);
        var (code, list, _) = await RunAsync("model", "list", "--data", _data);
        Assert.Equal(0, code);
        Assert.Matches("tiny +fp32 .* nothing", list);
        Assert.Matches("tiny +int8 .* cpu +0.25 +2,398 +may choose it", list);
        Assert.Matches(@"tiny +int4 .* cpu +3.00 +4,000 +beyond tolerance \(1.2\)", list);
        Assert.Matches("tiny +int4 .* cuda +1.00 +90,000 +may choose it", list);
    }

    [Fact]
    public async Task List_of_nothing_says_what_to_do()
    {
        var (code, output, _) = await RunAsync("model", "list", "--data", Path.Combine(_data, "absent"));
        Assert.Equal(0, code);
        Assert.Contains("r1 model build", output);
    }

    [Fact]
    public async Task What_is_active_of_one_model_can_be_damaged_and_the_others_are_listed_and_it_is_mended()
    {
        var repository = Path.Combine(_data, "repository");
        foreach (var name in (string[])["a", "b"])
            await RunAsync("model", "build", ReferenceCheckpoints.Folder("llama"), "--data", _data, "--name", name, "--precision", "fp32");
        foreach (var name in (string[])["a", "b"])
            Assert.Equal(0, (await RunAsync("model", "push", name, "--data", _data, "--to", repository, "--version", "1", "--activate")).Code);
        await File.WriteAllTextAsync(Path.Combine(repository, "models", "a", "active"), "{", TestContext.Current.CancellationToken);

        var (code, list, warnings) = await RunAsync("model", "list", "--from", repository);
        Assert.Equal(0, code);
        Assert.Matches("a +1 +unusable ", list);
        Assert.Matches("b +1 +since ", list);
        Assert.Contains("damaged: activate a version again", warnings, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("model", "activate", "a", "1", "--to", repository)).Code);
        Assert.Matches("a +1 +since ", (await RunAsync("model", "list", "--from", repository)).Output);
    }

    [Fact]
    public async Task Errors_are_one_plain_line_and_exit_code_1()
    {
        var (code, _, errors) = await RunAsync("model", "build", _models, "--output", Path.Combine(_models, "out"));
        Assert.Equal(1, code);
        Assert.Equal($"error: {Path.Combine(_models, "config.json")} does not exist.", errors.Trim());
    }

    [Fact]
    public async Task A_bench_of_no_model_says_so_in_one_plain_line()
    {
        var (code, output, errors) = await RunAsync("bench", "--model", "typo", "--data", _data);
        Assert.Equal(1, code);
        // What it does is said once that takes a second.
        Assert.Matches("^(Preparing the models)?$", output.Trim());
        Assert.Contains("'typo'", Assert.Single(errors.Trim().Split('\n')));
    }

    [Fact]
    public async Task An_unknown_precision_is_refused()
    {
        var (code, _, errors) =
            await RunAsync("model", "build", ReferenceCheckpoints.Folder("llama"), "--output", Path.Combine(_models, "out"), "--precision", "fp7");
        Assert.Equal(1, code);
        Assert.Contains("'fp7'", errors);
        Assert.False(Directory.Exists(Path.Combine(_models, "out")));
    }

    [Theory]
    [InlineData(0, "0 B", "0")]
    [InlineData(999, "999 B", "999")]
    [InlineData(4_150_735, "4.2 MB", "4.2 million")]
    [InlineData(903_808, "904 kB", "904 thousand")]
    [InlineData(999_999, "1.0 MB", "1.0 million")]
    [InlineData(3_554_000_000, "3.6 GB", "3.6 billion")]
    public void Quantities_as_people_read_them(long value, string bytes, string count) =>
    Assert.Equal((bytes, count), (DisplayFormat.Bytes(value), DisplayFormat.Count(value)));

    public void Dispose() => Directory.Delete(_data, recursive: true);

    internal static Task<(int Code, string Output, string Errors)> RunAsync(params string[] arguments) =>
        RunAsync(new Dictionary<string, string>(), arguments);

    /// <summary>With more variables in its environment.</summary>
    internal static async Task<(int Code, string Output, string Errors)> RunAsync(IReadOnlyDictionary<string, string> environment,
        params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "r1.dll"), .. arguments])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, Environment = { ["COLUMNS"] = "200" },
        };
        start.Environment.Remove("R1_MODELS");
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken),
            process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await errors);
    }
}
