using System.CommandLine;
using System.Globalization;
using R1Serverless.Abstractions;
using R1Serverless.Engine.Devices;
using R1Serverless.Engine.ModelHosting;
using R1Serverless.Engine.Prepared;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 model list</c>: the built models of a repository, one line per variant and device it was measured on.</summary>
internal static class ModelListCommand
{
    public static Command Create()
    {
        var from = CommonOptions.Repository("--from", "List what is in a shared repository instead", isFromEnvironment: false);
        var command = new Command("list", "List the built models, or the versions in a shared repository.") { CommonOptions.Data, from };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(async () => arguments.GetValue(from) is { } address
            ? await VersionTable.PrintAsync(await RepositoryAddress.Parse(address).OpenAsync(TimeProvider.System, cancellation), cancellation)
            : Run(CommonOptions.Models(arguments))));
        return command;
    }

    private static int Run(ModelRepository repository)
    {
        var table = new Table().Border(TableBorder.Simple)
            .AddColumns("name", "precision", "keys, values", "parameters", "size", "prepared", "context", "built", "measured on", "drop, points",
            $"tokens/s, {VariantSelection.ComparedRows} rows", "auto");
        foreach (var name in repository.Names()) AddRows(table, repository, name);
        if (table.Rows.Count == 0)
        {
            Console.WriteLine($"No models in {repository.Path}. Build one: r1 model build <checkpoint>");
            return 0;
        }

        TableConsole.Create(isJson: false, width: 180).Write(table);
        return 0;
    }

    private static void AddRows(Table table, ModelRepository repository, string name)
    {
        try
        {
            var model = repository.Find(name);
            foreach (var variant in model?.Manifest.Variants ?? [])
            {
                string[] built =
                [
                    name, PrecisionName.Of(variant.Precision), $"{variant.Kv}".ToLowerInvariant(),
                        model!.Manifest.Parameters is > 0 and var count ? DisplayFormat.Count(count) : "–", DisplayFormat.Bytes(variant.Bytes),
                    Prepared(model, variant), model.Signature is null ? $"{model.Config.ContextLength}" : "tensors",
                    $"{model.Manifest.Created:yyyy-MM-dd HH:mm}",
                ];
                if (variant.Evaluations.Count == 0) table.AddRow([.. built, "nothing"]);
                foreach (var measured in variant.Evaluations) table.AddRow([.. built, .. Cells(measured)]);
            }
        }
        catch (InvalidModelException e)
        {
            table.AddRow(name, "unusable");
            Console.Error.WriteLine($"warning: {e.Message}");
        }
    }

    /// <summary>For this machine's processor.</summary>
    private static string Prepared(ModelFolder model, ModelVariant variant) =>
        PreparedFolder.Detect(model, variant, new RuntimeOptions { Device = DeviceKind.Cpu }) is var state && state.Path is not null ? "yes"
        : state.Refusal is null ? "no" : "not here";

    private static string[] Cells(VariantEvaluation measured) =>
    [
        measured.Device,
        measured.AccuracyDrop.ToString("0.00", CultureInfo.InvariantCulture),
        VariantSelection.Speed(measured) is { } speed ? speed.ToString("N0", CultureInfo.InvariantCulture) : "",
        measured.IsWithinTolerance ? "may choose it" : string.Create(CultureInfo.InvariantCulture, $"beyond tolerance ({measured.Tolerance:0.##})"),
    ];
}
