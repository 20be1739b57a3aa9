using System.CommandLine;
using System.Globalization;
using R1Serverless.ModelLoading;
using R1Serverless.ModelRegistry;
using R1Serverless.Serving;

namespace R1Serverless.Commands;

/// <summary><c>r1 model push</c> and <c>activate</c>: versions into a shared repository, and which of them is served.</summary>
internal static class ModelPushCommand
{
    private static readonly Option<string?> To = CommonOptions.Repository("--to", "The repository");

    /// <summary>Who does it, for those that look later.</summary>
    private static readonly string Caller = $"{Environment.UserName}@{Environment.MachineName}";

    private static readonly Option<string?> Version = new("--version")
    {
        Description = "What to call it: letters, digits, '.', '-' and '_'. [default: the time, as 20261126-191500]", HelpName = "V",
    };

    private static readonly Option<bool> Activate = new("--activate") { Description = "Let it be served as soon as it is there." };

    private static readonly Option<bool> LessAccurate = new("--less-accurate")
    {
        Description = "Let it take over also if it answers fewer right than the version that serves, by more than is tolerated.",
    };

    public static Command CreatePush()
    {
        Argument<string> model = new("model") { Description = "A model's name on this machine, or its folder." };
        Command command = new("push", "Put a model into a shared repository, as a new version.") { model, To, Version, Activate,
            CommonOptions.Data };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(
            () => PushAsync(arguments, arguments.GetRequiredValue(model), TimeProvider.System, cancellation)));
        return command;
    }

    public static Command CreateActivate()
    {
        Argument<string> model = new("name") { Description = "The model's name in the repository." };
        Argument<string> version = new("version") { Description = "The version, also one that was served before." };
        Command command =
            new("activate", "Let a version of a model be served from now on: workers that serve the repository change over by themselves.") { model,
                version, LessAccurate, To };
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(async () =>
        {
            var repository = await CommonOptions.RequireRepository(arguments, To).CreateAsync(TimeProvider.System, cancellation);
            return await ActivateAsync(repository, arguments.GetRequiredValue(model), arguments.GetRequiredValue(version),
                arguments.GetValue(LessAccurate), TimeProvider.System, cancellation);
        }));
        return command;
    }

    private static async Task<int> PushAsync(ParseResult arguments, string named, TimeProvider time, CancellationToken cancellation)
    {
        ServeOptions options = new() { Models = [named], DataFolder = arguments.GetValue(CommonOptions.Data) };
        var model = LocalModels.Folders(options, new StatusLines(Console.Out), cancellation).Single();
        var version = arguments.GetValue(Version) ?? time.GetUtcNow().ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture);
        var repository = await CommonOptions.RequireRepository(arguments, To).CreateAsync(time, cancellation);
        var began = time.GetTimestamp();
        var pushed = await TransferBar.RunAsync(
            $"Pushing {model.Name} {version}",
            progress => new VersionPush(repository, time).RunAsync(model, version, Caller, progress, cancellation));
        Console.WriteLine(
            $"Pushed {model.Name} {version}: {pushed.Files.Count} files, {DisplayFormat.Bytes(pushed.Bytes)}, "
            + $"{time.GetElapsedTime(began).TotalSeconds:0.0} s");
        Console.WriteLine($"  into   {repository.Description}");
        if (arguments.GetValue(Activate)) return await ActivateAsync(repository, model.Name, version, mayBeLessAccurate: false, time, cancellation);
        Console.WriteLine($"  serve  r1 model activate {model.Name} {version}");
        return 0;
    }

    private static async Task<int> ActivateAsync(SharedRepository repository, string model, string version, bool mayBeLessAccurate,
        TimeProvider time, CancellationToken cancellation)
    {
        var active = await repository.ActivateAsync(model, version, Caller, time.GetUtcNow(), cancellation, mayBeLessAccurate);
        Console.WriteLine($"Active: {model} {active.Version}{(active.Previous is { } previous ? $", before it {previous}" : "")}");
        return 0;
    }
}
