using R1Serverless.ModelRegistry;
using R1Serverless.Models;
using R1Serverless.Serving;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary>What is in a shared repository, a line per version.</summary>
internal static class VersionTable
{
    public static async Task<int> PrintAsync(SharedRepository repository, CancellationToken cancellation)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("name", "version", "active", "files", "size", "pushed", "by");
        foreach (var (model, versions, _) in await repository.ListAsync(cancellation))
        {
            var mark = await MarkAsync(repository, model, cancellation);
            foreach (var version in versions) table.AddRow(await RowAsync(repository, model, version, mark(version), cancellation));
        }

        if (table.Rows.Count == 0)
        {
            Console.WriteLine($"No models in {repository.Description}. Push one: r1 model push NAME --to REPO --activate");
            return 0;
        }

        TableConsole.Create(isJson: false, width: 160).Write(table);
        return 0;
    }

    /// <summary>What stands beside a version in the column of the active one.</summary>
    private static async Task<Func<string, string>> MarkAsync(SharedRepository repository, string model, CancellationToken cancellation)
    {
        try
        {
            var active = (await repository.FindActiveAsync(model, cancellation))?.Active;
            return version => active?.Version == version ? $"since {active.Since:yyyy-MM-dd HH:mm}, by {active.By}" : "";
        }
        catch (InvalidModelException fault)
        {
            await Console.Error.WriteLineAsync($"warning: {fault.Message}");
            return _ => "unusable";
        }
    }

    private static async Task<string[]> RowAsync(SharedRepository repository, string model, string version, string mark,
        CancellationToken cancellation)
    {
        try
        {
            if ((await repository.FindAsync(model, version, cancellation))?.Manifest is not { } manifest)
                return [model, version, Markup.Escape(mark), "gone"];
            return [model, version, Markup.Escape(mark), $"{manifest.Files.Count}", DisplayFormat.Bytes(manifest.Bytes),
                $"{manifest.Pushed:yyyy-MM-dd HH:mm}", Markup.Escape(manifest.PushedBy)];
        }
        catch (InvalidModelException fault)
        {
            await Console.Error.WriteLineAsync($"warning: {fault.Message}");
            return [model, version, Markup.Escape(mark), "unusable"];
        }
    }
}
