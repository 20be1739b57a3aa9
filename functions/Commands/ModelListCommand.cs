using System.CommandLine;
using System.Globalization;
using R1Serverless.Delivery;
using R1Serverless.Generation;
using R1Serverless.Hosting;
using R1Serverless.Models;
using R1Serverless.Requests;
using R1Serverless.Runtime;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 model list</c>: the built models of a repository, one line per variant and device it was measured on.</summary>
internal static class ModelListCommand
{
    private const int TableWidth = 180;

    public static Command Create()
    {
        var data = DataOption.Create();
        var from = RepositoryOption.Create("--from", "List what is in a shared repository instead", isFromEnvironment: false);
        var command = new Command("list", "List the built models, or the versions in a shared repository.") { data, from };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(async () => arguments.GetValue(from) is { } address
            ? await VersionTable.PrintAsync(await RepositoryAddress.Parse(address).OpenAsync(TimeProvider.System, cancellation), cancellation)
            : Run(DataFolder.Repository(arguments.GetValue(data)))));
        return command;
    }

    private static int Run(ModelRepository repository)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("name", "precision", "keys, values", "parameters", "size", "prepared", "context", "built", "measured on", "drop, points", $"tokens/s, {VariantSelection.ComparedRows} rows", "auto");
        foreach (var name in repository.Names())
        {
            AddRows(table, repository, name);
        }

        if (table.Rows.Count == 0)
        {
            Console.WriteLine($"No models in {repository.Path}. Build one: r1 model build <checkpoint>");
            return 0;
        }

        // A file or a pipe has no width of its own; the table wants this much.
        if (Console.IsOutputRedirected) AnsiConsole.Profile.Width = TableWidth;
        AnsiConsole.Write(table);
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
                    name, PrecisionName.Of(variant.Precision), KvOption.Name(variant.Kv), model!.Manifest.Parameters is > 0 and var count ? Quantities.Count(count) : "–", Quantities.Bytes(variant.Bytes),
                    Prepared(model, variant), $"{model.Config.ContextLength}", $"{model.Manifest.Created:yyyy-MM-dd HH:mm}",
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
        PreparedFolder.Look(model, variant, new RuntimeOptions { Device = DeviceKind.Cpu }) is var state && state.Path is not null ? "yes" : state.Refusal is null ? "no" : "not here";

    private static string[] Cells(VariantEvaluation measured) =>
    [
        measured.Device,
        measured.AccuracyDrop.ToString("0.00", CultureInfo.InvariantCulture),
        VariantSelection.Speed(measured) is { } speed ? speed.ToString("N0", CultureInfo.InvariantCulture) : "",
        measured.IsWithinTolerance ? "may choose it" : string.Create(CultureInfo.InvariantCulture, $"beyond tolerance ({measured.Tolerance:0.##})"),
    ];
}
