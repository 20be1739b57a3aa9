using System.CommandLine;
using System.Globalization;
using R1Serverless.Delivery;
using R1Serverless.Hosting;
using R1Serverless.Models;
using R1Serverless.Preparing;
using R1Serverless.Requests;
using R1Serverless.Runtime;

namespace R1Serverless.Commands;

/// <summary><c>r1 model prepare</c>: a model's graphs as this machine's ONNX Runtime would make them at each load.</summary>
internal static class ModelPrepareCommand
{
    public static Command Create()
    {
        var model = new Argument<string>("model") { Description = "A model's name in the data folder, or its folder." };
        var data = DataOption.Create();
        var precision = new Option<string[]>("--precision") { Description = "The variants to prepare, as a list with commas or one by one. [default: all]", HelpName = "LIST" };
        var command = new Command("prepare", "Write a model's graphs as this processor and this ONNX Runtime want them, so that they load faster and share memory.") { model, precision, data };
        DeviceOption.AddTo(command);
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(async () =>
        {
            string named = arguments.GetRequiredValue(model);
            // A version in the cache must not leave for others meanwhile.
            using IDisposable? held = LocalModels.IsFolder(named) ? await CacheUse.OfModelAsync(named, TimeProvider.System, cancellation) : null;
            Run(Find(named, arguments.GetValue(data)), PrecisionList.Parse(arguments.GetValue(precision) ?? []), DeviceOption.Read(arguments, 0), cancellation);
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
                $"  {PrecisionName.Of(variant.Precision),-5}  prepared for this processor {(prepared.IsKept ? "already" : $"in {TimeProvider.System.GetElapsedTime(began).TotalSeconds:0.0} s")}, {Quantities.Bytes(prepared.Bytes)}"));
        }
    }

    private static ModelFolder Find(string named, string? data) => LocalModels.IsFolder(named)
        ? ModelFolder.Open(named)
        : DataFolder.Repository(data).Find(named) ?? throw new ModelLoadException($"there is no model '{named}' in {DataFolder.Repository(data).Path}, and no such folder; `r1 model list` shows what there is.");
}
