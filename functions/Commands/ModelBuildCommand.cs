using System.CommandLine;
using R1Serverless.Building;
using R1Serverless.Hosting;
using R1Serverless.Models;
using R1Serverless.Requests;
using R1Serverless.Runtime;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 model build</c>: from a Hugging Face checkpoint to a model folder.</summary>
internal static class ModelBuildCommand
{
    public static Command Create()
    {
        var checkpoint = new Argument<DirectoryInfo>("checkpoint") { Description = "The folder with config.json, tokenizer.json and the safetensors files." };
        var output = new Option<DirectoryInfo?>("--output") { Description = "The folder to make. Default: the model's name in the data folder.", HelpName = "DIR" };
        var data = DataOption.Create();
        var name = new Option<string?>("--name") { Description = "The model's name. Default: the last part of the output, else of the checkpoint.", HelpName = "NAME" };
        var precision = new Option<string[]>("--precision")
        {
            Description = $"The variants to make, as a list with commas or one by one: {string.Join(", ", PrecisionName.All)}. Default: fp32 and int8.",
            HelpName = "LIST",
        };
        var preload = new Option<string[]>("--preload") { Description = "The variants that servers load at their start, as a list with commas or one by one. [default: the one that a request gets which names none]", HelpName = "LIST" };
        var noPrepare = new Option<bool>("--no-prepare") { Description = "Leave out what `r1 model prepare` does, for models that will run on another kind of machine." };
        var command = new Command("build", "Build a Qwen2 or Llama checkpoint from Hugging Face into ONNX.") { checkpoint, output, data, name, precision, KvOption.Kv, preload, noPrepare };
        command.SetAction((arguments, cancellation) => Task.FromResult(PlainErrors.Catch(() => Run(
            arguments.GetRequiredValue(checkpoint).FullName, arguments.GetValue(output)?.FullName, DataFolder.Repository(arguments.GetValue(data)), arguments.GetValue(name),
            PrecisionList.Parse(arguments.GetValue(precision) ?? []), arguments.GetValue(KvOption.Kv), PrecisionList.Parse(arguments.GetValue(preload) ?? []), !arguments.GetValue(noPrepare), cancellation))));
        return command;
    }

    private static int Run(string checkpoint, string? output, ModelRepository repository, string? name, IReadOnlyList<Precision> precisions, KvFormat kv, IReadOnlyList<Precision> preloaded, bool prepares, CancellationToken cancellation)
    {
        if (precisions.Count == 0) precisions = [Precision.Fp32, Precision.Int8];
        name ??= Path.GetFileName(Path.TrimEndingDirectorySeparator(output ?? checkpoint));
        var target = output ?? repository.FolderOf(name);
        var began = TimeProvider.System.GetTimestamp();
        var model = AnsiConsole.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context =>
            {
                var bar = context.AddTask(Markup.Escape($"Building {name}"));
                return ModelBuilder.Build(checkpoint, target, name, TimeProvider.System, precisions, new Bar(bar), cancellation, kv);
            });
        var seconds = TimeProvider.System.GetElapsedTime(began).TotalSeconds;
        var size = model.Manifest.Variants.Sum(variant => variant.Bytes);
        Console.WriteLine($"Built {name}: {Quantities.Count(model.Manifest.Parameters)} parameters, {Quantities.Bytes(size)}, {seconds:0.0} s");
        var kept = kv == KvFormat.Int8 ? ", keys and values in int8" : "";
        foreach (var variant in model.Manifest.Variants) Console.WriteLine($"  {PrecisionName.Of(variant.Precision)}   {Quantities.Bytes(variant.Bytes)}{kept}");
        if (preloaded.Count > 0) Mark(model, preloaded);
        if (prepares) ModelPrepareCommand.Run(model, [], new RuntimeOptions { Device = DeviceKind.Cpu }, cancellation);
        Console.WriteLine($"  in     {model.Path}");
        Console.WriteLine($"  serve  r1 serve --model {(target == DataFolder.Repository(null).FolderOf(name) ? name : model.Path)}");
        return 0;
    }

    private static void Mark(ModelFolder model, IReadOnlyList<Precision> preloaded)
    {
        Precision[] absent = [.. preloaded.Except(model.Manifest.Variants.Select(variant => variant.Precision))];
        if (absent.Length > 0) throw new InvalidModelException($"--preload {PrecisionName.Of(absent[0])}: no such variant was built; name it in --precision too.");
        var manifest = model.Manifest with { Variants = [.. model.Manifest.Variants.Select(variant => variant with { Preload = preloaded.Contains(variant.Precision) })] };
        manifest.Save(Path.Combine(model.Path, ModelManifest.FileName));
    }

    private sealed class Bar(ProgressTask task) : IProgress<BuildProgress>
    {
        public void Report(BuildProgress value) => (task.MaxValue, task.Value) = (value.TotalBytes, value.WrittenBytes);
    }
}
