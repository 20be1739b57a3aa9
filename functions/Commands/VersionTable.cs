using R1Serverless.Delivery;
using R1Serverless.Hosting;
using R1Serverless.Models;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary>What is in a shared repository, a line per version.</summary>
internal static class VersionTable
{
    private const int Width = 160;

    public static async Task<int> PrintAsync(SharedRepository repository, CancellationToken cancellation)
    {
        Table table = new Table().Border(TableBorder.Simple).AddColumns("name", "version", "active", "files", "size", "pushed", "by");
        foreach (var (model, versions, _) in await repository.ListAsync(cancellation))
        {
            ActiveVersion? active = (await repository.FindActiveAsync(model, cancellation))?.Active;
            foreach (string version in versions) table.AddRow(await RowAsync(repository, model, version, active, cancellation));
        }

        if (table.Rows.Count == 0)
        {
            Console.WriteLine($"No models in {repository.Description}. Push one: r1 model push NAME --to REPO --activate");
            return 0;
        }

        if (Console.IsOutputRedirected) AnsiConsole.Profile.Width = Width;
        AnsiConsole.Write(table);
        return 0;
    }

    private static async Task<string[]> RowAsync(SharedRepository repository, string model, string version, ActiveVersion? active, CancellationToken cancellation)
    {
        string mark = active?.Version == version ? $"since {active.Since:yyyy-MM-dd HH:mm}, by {active.By}" : "";
        try
        {
            if ((await repository.FindAsync(model, version, cancellation))?.Manifest is not { } manifest) return [model, version, mark, "gone"];
            return [model, version, Markup.Escape(mark), $"{manifest.Files.Count}", Quantities.Bytes(manifest.Bytes), $"{manifest.Pushed:yyyy-MM-dd HH:mm}", Markup.Escape(manifest.PushedBy)];
        }
        catch (InvalidModelException fault)
        {
            await Console.Error.WriteLineAsync($"warning: {fault.Message}");
            return [model, version, Markup.Escape(mark), "unusable"];
        }
    }
}
