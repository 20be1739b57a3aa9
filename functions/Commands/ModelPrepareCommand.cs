using System.CommandLine;
using System.Globalization;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.ModelBuilder.Preparing;
using R1Serverless.ModelLoading;
using R1Serverless.ModelRegistry;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;

namespace R1Serverless.Commands;

/// <summary><c>r1 model prepare</c>: a model's graphs as this machine's ONNX Runtime would make them at each load.</summary>
internal static class ModelPrepareCommand
{
    public static Command Create()
    {
        var model = new Argument<string>("model") { Description = "A model's name in the data folder, or its folder." };
        Option<string[]> precision = new("--precision")
        {
            Description = "The variants to prepare, as a list with commas or one by one. [default: all]", HelpName = "LIST",
        };
        Command command = new(
            "prepare", "Write a model's graphs as this processor and this ONNX Runtime want them, so that they load faster and share memory.")
        {
            model, precision, CommonOptions.Data,
        };
        DeviceOption.AddTo(command);
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(async () =>
        {
            var named = arguments.GetRequiredValue(model);
            // A version in the cache must not leave for others meanwhile.
            using IDisposable? held = LocalModels.IsFolder(named) ? await CacheUse.OfModelAsync(named, TimeProvider.System, cancellation) : null;
            Run(Find(named, CommonOptions.Models(arguments)), CommonOptions.ParsePrecisions(arguments.GetValue(precision)),
                DeviceOption.Read(arguments), cancellation);
            return 0;
        }));
        return command;
    }

    /// <param name="precisions">Empty for all.</param>
    public static void Run(ModelFolder folder, IReadOnlyList<Precision> precisions, RuntimeOptions options, CancellationToken cancellation)
    {
        foreach (var variant in folder.Manifest.Variants.Where(one => precisions.Count == 0 || precisions.Contains(one.Precision)))
        {
            cancellation.ThrowIfCancellationRequested();
            var began = TimeProvider.System.GetTimestamp();
            if (!Console.IsOutputRedirected) Console.Write($"  {PrecisionName.Of(variant.Precision),-5}  preparing…\r");
            var prepared = VariantPreparation.Prepare(folder, variant, options, cancellation);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"  {PrecisionName.Of(variant.Precision),-5}  prepared for this processor "
                + $"{(prepared.IsKept ? "already" : $"in {TimeProvider.System.GetElapsedTime(began).TotalSeconds:0.0} s")}, "
                + $"{DisplayFormat.Bytes(prepared.Bytes)}"));
        }
    }

    /// <param name="named">A model's name in the data folder, or its folder.</param>
    public static ModelFolder Find(string named, ModelRepository repository) => LocalModels.IsFolder(named)
        ? ModelFolder.Open(named)
        : repository.Find(named) ?? throw new ModelLoadException(
            $"there is no model '{named}' in {repository.Path}, and no such folder; `r1 model list` shows what there is.");
}
