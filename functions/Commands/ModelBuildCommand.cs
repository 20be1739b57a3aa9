using System.CommandLine;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.Evaluation;
using R1Serverless.ModelBuilder.Tensors;
using R1Serverless.ModelBuilder;
using R1Serverless.Models.Folders;
using R1Serverless.Models.Layouts;
using R1Serverless.Models;
using R1Serverless.Serving;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 model build</c>: from a Hugging Face checkpoint, or any ONNX graph, to a model folder.</summary>
internal static class ModelBuildCommand
{
    /// <summary>How built variants keep keys and values.</summary>
    public static readonly Option<KvFormat> Kv = TextOption.Choice("--kv", KvFormat.Auto,
        "How the variants keep keys and values: auto (float16 in fp16, else float32) or int8 (a quarter of float32's memory, with scales that a "
        + "short run of the model finds).");

    public static Command Create()
    {
        Argument<FileSystemInfo> source = new("source")
        {
            Description = "The checkpoint: a folder with config.json, tokenizer.json and the safetensors files. Or an ONNX file of a model that "
                + "is no decoder.",
        };
        Option<DirectoryInfo?> output = new("--output")
        {
            Description = "The folder to make. Default: the model's name in the data folder.", HelpName = "DIR",
        };
        Option<string?> name = new("--name")
        {
            Description = "The model's name. Default: the last part of the output, else of the source.", HelpName = "NAME",
        };
        Option<string[]> precision = new("--precision")
        {
            Description =
                $"The variants to make, as a list with commas or one by one: {string.Join(", ", PrecisionName.All)}. Default: fp32 and "
                + "int8; of an ONNX file fp32.",
            HelpName = "LIST",
        };
        Option<string[]> preload = new("--preload")
        {
            Description = "The variants that servers load at their start, as a list with commas or one by one. [default: the one that a request "
                + "gets which names none]",
            HelpName = "LIST",
        };
        Option<bool> noPrepare = new("--no-prepare")
        {
            Description = "Leave out what `r1 model prepare` does, for models that will run on another kind of machine.",
        };
        Option<FileSystemInfo?> calibration = new("--calibration")
        {
            Description = "Samples by which the int8 variant of an ONNX file rounds what its convolutions take, some dozens: a folder of pictures, "
                + "where preprocessor_config.json lies beside the file, or JSON lines as `r1 model evaluate` reads them. Without them convolutions "
                + "stay fp32.",
            HelpName = "PATH",
        };
        Command command = new("build", "Build a checkpoint from Hugging Face into ONNX, or variants of an ONNX file.")
        {
            source, output, CommonOptions.Data, name, precision, Kv, preload, noPrepare, calibration,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(async () => Run(
            arguments.GetRequiredValue(source).FullName, CommonOptions.Folder(arguments.GetValue(output)), CommonOptions.Models(arguments),
            arguments.GetValue(name), CommonOptions.ParsePrecisions(arguments.GetValue(precision)), arguments.GetValue(Kv),
            CommonOptions.ParsePrecisions(arguments.GetValue(preload)), !arguments.GetValue(noPrepare),
            await CalibrationAsync(arguments.GetRequiredValue(source).FullName, arguments.GetValue(calibration)?.FullName,
                CommonOptions.ParsePrecisions(arguments.GetValue(precision)), cancellation),
            cancellation)));
        return command;
    }

    private static int Run(string source, string? output, ModelRepository repository, string? name, IReadOnlyList<Precision> precisions,
        KvFormat kv, IReadOnlyList<Precision> preloaded, bool prepares, IReadOnlyList<IReadOnlyList<Tensor>> calibration,
        CancellationToken cancellation)
    {
        var isGraph = File.Exists(source);
        if (!Path.Exists(source)) throw new FileNotFoundException($"{source} does not exist.");
        if (!isGraph && OnlyGraph(source) is { } graph)
            throw new InvalidModelException($"{source} is no checkpoint: it has no safetensors. To build the graph in it, name its file: {graph}");
        if (precisions.Count == 0) precisions = isGraph ? [Precision.Fp32] : [Precision.Fp32, Precision.Int8];
        if (isGraph && kv != KvFormat.Auto)
            throw new InvalidModelException("--kv: an ONNX file is built as it is; only decoders keep keys and values.");
        if (preloaded.Except(precisions).Select(one => (Precision?)one).FirstOrDefault() is { } absent)
            throw new InvalidModelException($"--preload {PrecisionName.Of(absent)}: no such variant is built; name it in --precision too.");
        name ??= ModelName.Of(output ?? (isGraph ? Path.ChangeExtension(source, null) : source));
        var target = output ?? repository.FolderOf(name);
        var began = TimeProvider.System.GetTimestamp();
        IReadOnlyList<string> notes = [];
        var model = AnsiConsole.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context =>
            {
                var bar = context.AddTask(Markup.Escape($"Building {name}"));
                if (!isGraph)
                    return CheckpointBuilder.Build(source, target, name, TimeProvider.System, precisions, new Bar(bar), cancellation, kv, preloaded);
                var options = new TensorBuildOptions { Precisions = precisions, Preloaded = preloaded, Calibration = calibration };
                notes = TensorModelBuilder.Build(source, target, name, TimeProvider.System, options, new Bar(bar), cancellation).Notes;
                return ModelFolder.Open(target);
            });
        var seconds = TimeProvider.System.GetElapsedTime(began).TotalSeconds;
        var size = model.Manifest.Variants.Sum(variant => variant.Bytes);
        Console.WriteLine($"Built {name}: {DisplayFormat.Count(model.Manifest.Parameters)} parameters, {DisplayFormat.Bytes(size)}, {seconds:0.0} s");
        var kept = kv == KvFormat.Int8 ? ", keys and values in int8" : "";
        foreach (var variant in model.Manifest.Variants)
            Console.WriteLine($"  {PrecisionName.Of(variant.Precision)}   {DisplayFormat.Bytes(variant.Bytes)}{kept}");
        foreach (var note in notes) Console.WriteLine($"  {note}");
        if (prepares) Prepare(model, cancellation);
        Console.WriteLine($"  in     {model.Path}");
        Console.WriteLine($"  serve  r1 serve --model {(target == DataFolder.Repository(null).FolderOf(name) ? name : model.Path)}");
        return 0;
    }

    /// <summary>The graph of a folder that holds no checkpoint and one graph, there or in onnx/; null of others.</summary>
    private static string? OnlyGraph(string folder)
    {
        if (Directory.GetFiles(folder, "*.safetensors").Length > 0) return null;
        var below = Path.Combine(folder, "onnx");
        string[] graphs = [.. Directory.GetFiles(folder, "*.onnx"), .. Directory.Exists(below) ? Directory.GetFiles(below, "*.onnx") : []];
        return graphs is [var only] ? only : null;
    }

    private static void Prepare(ModelFolder model, CancellationToken cancellation)
    {
        try
        {
            ModelPrepareCommand.Run(model, [], new RuntimeOptions { Device = DeviceKind.Cpu }, cancellation);
        }
        catch (ModelLoadException fault) when (model.Manifest.Kind == ModelKind.Tensors)
        {
            // Any graph can be built, but not run without knowing what it is about.
            Console.WriteLine($"  not prepared: {fault.Message}");
        }
    }

    private static async Task<IReadOnlyList<IReadOnlyList<Tensor>>> CalibrationAsync(string source, string? path, IReadOnlyList<Precision> precisions,
        CancellationToken cancellation)
    {
        if (path is null) return [];
        if (!File.Exists(source)) throw new InvalidModelException("--calibration: only an ONNX file is calibrated.");
        if (!precisions.Contains(Precision.Int8))
            throw new InvalidModelException("--calibration: only an int8 variant is rounded by samples; name it in --precision too.");
        if (!Path.Exists(path)) throw new FileNotFoundException($"{path} does not exist.");
        var folder = ModelFolder.Open(TensorCompanions.FolderOf(source));
        List<string> places = [];
        var samples = await SampleInputs.ReadAsync(folder, await TensorSamples.LoadAsync(path, folder, places, cancellation), places, cancellation);
        return [.. samples.Select((sample, i) => sample is Prompt.Tensors { Inputs: var inputs } ? Checked(inputs, folder, places[i])
            : throw new InvalidDataException($"{places[i]} must be tensors or a picture."))];
    }

    private static IReadOnlyList<Tensor> Checked(IReadOnlyList<Tensor> sample, ModelFolder folder, string place)
    {
        string[] taken = [.. folder.Signature!.Inputs.Select(input => input.Name)];
        return sample.Select(input => input.Name).Order(StringComparer.Ordinal).SequenceEqual(taken.Order(StringComparer.Ordinal)) ? sample
            : throw new InvalidDataException($"{place} has the inputs {Names(sample.Select(input => input.Name))}; the graph takes {Names(taken)}.");

        static string Names(IEnumerable<string> names) => string.Join(", ", names.Select(name => $"'{name}'"));
    }

    private sealed class Bar(ProgressTask task) : IProgress<BuildProgress>
    {
        public void Report(BuildProgress value) => (task.MaxValue, task.Value) = (value.TotalBytes, value.WrittenBytes);
    }
}
