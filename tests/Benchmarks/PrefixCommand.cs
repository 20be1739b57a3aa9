using System.CommandLine;
using System.Globalization;
using R1Serverless.Abstractions;
using R1Serverless.Commands;
using Spectre.Console;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>What it saves to compute the common beginning of prompts once.</summary>
internal static class PrefixCommand
{
    private static readonly Option<string> Model = new("--model")
    {
        Description = $"{MeasuredModels.Synthetic} or {MeasuredModels.Large}, which are generated, or a model's name.", HelpName = "NAME",
        DefaultValueFactory = _ => MeasuredModels.Synthetic,
    };

    private static readonly Option<string> Precisions = new("--precision")
    {
        Description = "The variants, as a list with commas.", HelpName = "LIST", DefaultValueFactory = _ => "fp32,int8",
    };

    private static readonly Option<int> Rounds = NumberOption.Create("--rounds", 7, 1, 1000, "How often each time is measured; medians are printed.");

    private static readonly Option<int> Shared = NumberOption.Create("--shared", 2048, 128, 1_000_000, "Tokens that prompts begin with alike.");

    private static readonly Option<string> Only = new("--only")
    {
        Description = "Rows whose name has this in it; all of them unless given.", HelpName = "TEXT", DefaultValueFactory = _ => "",
    };

    public static Command Create()
    {
        Command command = new("prefix", "Measure prompts that begin alike, with what they share computed once and without.")
        {
            Model, Precisions, Rounds, Shared, Only, CommonOptions.Data,
        };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var console = TableConsole.Create(isJson: false);
        var precisions = CommonOptions.ParsePrecisions([arguments.GetRequiredValue(Precisions)]);
        var folder = await MeasuredModels.FindAsync(arguments.GetRequiredValue(Model), CommonOptions.Models(arguments), precisions, cancellation);
        foreach (var variant in folder.Manifest.Variants.Where(one => precisions.Contains(one.Precision)))
        {
            Table table = new() { Title = new TableTitle(Markup.Escape($"{folder.Name} {PrecisionName.Of(variant.Precision)}")) };
            foreach (var column in (string[])["", "apart", "shared", "times"]) table.AddColumn(column);
            await console.Status().StartAsync("Preparing", async status =>
            {
                PrefixBench bench = new(folder, variant, arguments.GetValue(Rounds), arguments.GetValue(Shared), cancellation);
                foreach (var row in await bench.RunAsync(arguments.GetRequiredValue(Only), text => status.Status(Markup.Escape(text))))
                    table.AddRow(Markup.Escape(row.What), Number(row.Apart), Number(row.Shared), Number(row.Ratio));
            });
            console.Write(table);
        }

        return 0;
    }

    private static string Number(double value) => value.ToString("N2", CultureInfo.InvariantCulture);
}
