using System.CommandLine;
using R1Serverless.ModelRegistry;
using R1Serverless.Models.Folders;

namespace R1Serverless.Commands;

/// <summary><c>r1 model pull</c>: a version from a shared repository into this machine's cache, as a worker fetches it.</summary>
internal static class ModelPullCommand
{
    private static readonly Option<string?> From = CommonOptions.Repository("--from", "The repository");

    private static readonly Option<string?> Version = new("--version") { Description = "Which one. [default: the active one]", HelpName = "V" };

    public static Command Create()
    {
        Argument<string> model = new("name") { Description = "The model's name in the repository." };
        Command command =
            new("pull", "Fetch a version of a model, or go on with a fetch that was interrupted, and say where it is.") { model, From, Version,
                CommonOptions.Data, CommonOptions.ModelCacheSize };
        command.SetAction(
            (arguments, cancellation) =>
            PlainErrors.CatchAsync(() => RunAsync(arguments, arguments.GetRequiredValue(model), TimeProvider.System, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, string model, TimeProvider time, CancellationToken cancellation)
    {
        var repository = await CommonOptions.RequireRepository(arguments, From).OpenAsync(time, cancellation);
        var version = arguments.GetValue(Version) ?? (await repository.FindActiveAsync(model, cancellation))?.Active.Version
            ?? throw new InvalidDataException(
            $"No version of '{model}' is active in {repository.Description}: name one with --version; `r1 model list --from` shows what there is.");
        var found = await repository.FindAsync(model, version, cancellation)
            ?? throw new InvalidDataException(
            $"There is no version '{version}' of '{model}' in {repository.Description}; `r1 model list --from` shows what there is.");
        var cache = new ModelCache(DataFolder.Cache(arguments.GetValue(CommonOptions.Data)), CommonOptions.ReadModelCache(arguments), time);
        var began = time.GetTimestamp();
        using var cached =
            await TransferBar.RunAsync($"Fetching {model} {version}", progress => cache.OpenAsync(repository, found, progress, cancellation));
        var folder = ModelFolder.Open(cached.Path);
        Console.WriteLine(
            $"Fetched {model} {version}: {found.Manifest.Files.Count} files, {cached.Transferred}, {time.GetElapsedTime(began).TotalSeconds:0.0} s");
        Console.WriteLine($"  in     {folder.Path}");
        Console.WriteLine($"  serve  r1 serve --model {folder.Path}");
        return 0;
    }
}
