using System.CommandLine;
using R1Serverless.Hosting;
using R1Serverless.Models;
using R1Serverless.Requests;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 model list</c>: the built models of a repository, one line per variant.</summary>
internal static class ModelListCommand
{
    public static Command Create()
    {
        var models = new Option<DirectoryInfo>("--models")
        {
            Description = "The model repository.", HelpName = "DIR", DefaultValueFactory = _ => new DirectoryInfo(DataFolder.Models),
        };
        var command = new Command("list", "List the built models.") { models };
        command.SetAction(arguments => PlainErrors.Catch(() => Run(new ModelRepository(arguments.GetRequiredValue(models).FullName))));
        return command;
    }

    private static int Run(ModelRepository repository)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("name", "precision", "parameters", "size", "context", "built");
        foreach (var name in repository.Names())
        {
            AddRows(table, repository, name);
        }

        if (table.Rows.Count == 0)
        {
            Console.WriteLine($"No models in {repository.Path}. Build one: r1 model build <checkpoint>");
            return 0;
        }

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
                table.AddRow(
                    name, PrecisionName.Of(variant.Precision), Quantities.Count(model!.Manifest.Parameters), Quantities.Bytes(variant.Bytes),
                    $"{model.Config.ContextLength}", $"{model.Manifest.Created:yyyy-MM-dd HH:mm}");
            }
        }
        catch (InvalidModelException e)
        {
            table.AddRow(name, "damaged");
            Console.Error.WriteLine($"warning: {e.Message}");
        }
    }
}
