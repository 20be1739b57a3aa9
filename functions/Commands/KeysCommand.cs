using System.CommandLine;
using R1Serverless.Access;

namespace R1Serverless.Commands;

/// <summary><c>r1 keys</c>: named API keys in a file or vault. A key itself is printed once, when it is made, and kept nowhere.</summary>
internal static class KeysCommand
{
    private const int Failed = 1;

    private static readonly Option<string?> Keys = KeysOption.Create("Where the keys are kept");

    private static readonly Argument<string> Name = CreateName();

    private static readonly Option<bool> Admin = new("--admin") { Description = "For operators: opens /manage instead of the models." };

    private static readonly Option<string?> Expires = DurationOption.Create("--expires", "How long the key lasts, such as 90d or 12h. [default: create: for ever; rotate: as before]");

    private static readonly Option<string?> Overlap = DurationOption.Create("--overlap", "How long the old secret goes on beside the new one, such as 24h or 30m; 0s ends it at once. [default: 24h]");

    private static readonly Option<bool> IfMissing = new("--if-missing") { Description = "Do nothing if there is a key of this name." };

    private static readonly Option<bool> Json = new("--json") { Description = "Print JSON instead of a table." };

    public static Command Create() => new("keys", "Named API keys: who may call, how much, and until when. Servers that were given the same place see changes without a restart.")
    {
        Verb("create", "Make a key and print it, this once.", CreateAsync, [Name], [Admin, IfMissing, Expires, .. LimitOptions.All]),
        Verb("list", "The keys by name; only their hashes are kept, and not shown.", ListAsync, [], [Json]),
        Verb("rotate", "Give a key a new secret, printed this once. Requests, files and batches stay its own.", RotateAsync, [Name], [Overlap, Expires]),
        Verb("revoke", "Take a key away for good. What is running goes on to its end.", RevokeAsync, [Name], []),
    };

    private static Command Verb(string name, string description, Func<ParseResult, KeySource, CancellationToken, Task> action, Argument[] arguments, Option[] options)
    {
        Command command = new(name, description);
        foreach (Argument argument in arguments) command.Arguments.Add(argument);
        foreach (Option option in options) command.Options.Add(option);
        command.Options.Add(Keys);
        command.SetAction((parsed, cancellation) => PlainErrors.CatchAsync(() => RunAsync(parsed, action, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, Func<ParseResult, KeySource, CancellationToken, Task> action, CancellationToken cancellation)
    {
        if (KeysOption.Read(arguments, Keys) is not { } place)
        {
            await Console.Error.WriteLineAsync("error: Say where the keys are kept: --keys FILE, or set R1_KEYS.");
            return Failed;
        }

        if (KeySources.Refusal(place) is { } refusal)
        {
            await Console.Error.WriteLineAsync($"error: R1_KEYS: {refusal}");
            return Failed;
        }

        try
        {
            await action(arguments, KeySources.Create(place), cancellation);
            return 0;
        }
        catch (InvalidKeysException fault)
        {
            await Console.Error.WriteLineAsync($"error: {fault.Message}");
            return Failed;
        }
    }

    private static async Task CreateAsync(ParseResult arguments, KeySource source, CancellationToken cancellation)
    {
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        string name = arguments.GetRequiredValue(Name), secret = KeySecret.New();
        if (arguments.GetValue(IfMissing) && await source.ReadAsync(cancellation) is { } present && Read(source, present).Any(one => one.Name == name))
        {
            await Console.Error.WriteLineAsync($"There is a key {name} in {source.Description}.");
            return;
        }

        NamedKey key = new(name, KeySecret.NewId(), KeySecret.Hash(secret))
        {
            Scopes = arguments.GetValue(Admin) ? AccessScopes.Admin : AccessScopes.Inference,
            Limits = LimitOptions.Read(arguments),
            Created = now,
            Expires = DurationOption.Read(arguments, Expires) is { } lifetime ? now + lifetime : null,
        };
        await source.ChangeAsync(content => KeyFileWriter.Write(KeyChanges.Create(content is { } json ? Read(source, json) : [], key)), cancellation);
        Show(secret, $"The key {key.Name}, in {source.Description}. It is shown this once: keep it safe.");
    }

    private static async Task RotateAsync(ParseResult arguments, KeySource source, CancellationToken cancellation)
    {
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        (string name, string secret) = (arguments.GetRequiredValue(Name), KeySecret.New());
        TimeSpan overlap = DurationOption.Read(arguments, Overlap) ?? TimeSpan.FromHours(24);
        DateTimeOffset? expires = DurationOption.Read(arguments, Expires) is { } lifetime ? now + lifetime : null;
        PreviousKey? previous = null;
        await source.ChangeAsync(
            content =>
            {
                IReadOnlyList<NamedKey> keys = KeyChanges.Rotate(Existing(source, content), name, KeySecret.Hash(secret), overlap, expires, now);
                previous = keys.Single(key => key.Name == name).Previous;
                return KeyFileWriter.Write(keys);
            },
            cancellation);
        Show(secret, $"The new secret of {name}, shown this once. The old one {(previous is null ? "opens nothing any more" : $"goes on until {KeyFileWriter.Text(previous.Expires)}")}.");
    }

    private static async Task RevokeAsync(ParseResult arguments, KeySource source, CancellationToken cancellation)
    {
        string name = arguments.GetRequiredValue(Name);
        await source.ChangeAsync(content => KeyFileWriter.Write(KeyChanges.Revoke(Existing(source, content), name)), cancellation);
        Console.WriteLine($"{name} opens nothing any more, as soon as the servers have looked: within {source.Interval.TotalSeconds:0} s.");
    }

    private static async Task ListAsync(ParseResult arguments, KeySource source, CancellationToken cancellation)
    {
        IReadOnlyList<NamedKey> keys = Existing(source, await source.ReadAsync(cancellation));
        if (arguments.GetValue(Json)) KeysPrinter.WriteJson(keys);
        else KeysPrinter.WriteTable(keys, TimeProvider.System.GetUtcNow());
    }

    private static IReadOnlyList<NamedKey> Existing(KeySource source, ReadOnlyMemory<byte>? content) =>
        content is { } json ? Read(source, json) : throw new InvalidKeysException($"There is no {source.Description}: make the first key with r1 keys create NAME.");

    private static IReadOnlyList<NamedKey> Read(KeySource source, ReadOnlyMemory<byte> content)
    {
        try
        {
            return KeyFileReader.Read(content);
        }
        catch (InvalidKeysException fault)
        {
            throw new InvalidKeysException($"The keys in {source.Description} can't be used: {fault.Message}", fault);
        }
    }

    // The secret alone on the output, so that a script can take it into a variable.
    private static void Show(string secret, string about)
    {
        Console.Error.WriteLine(about);
        Console.WriteLine(secret);
    }

    private static Argument<string> CreateName()
    {
        Argument<string> name = new("NAME") { Description = "The key's name: letters, digits, dots, hyphens and underscores." };
        name.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var text }] && !NamedKey.IsName(text)) result.AddError("NAME must be 1 to 64 letters, digits, dots, hyphens or underscores, a letter or digit first.");
        });
        return name;
    }
}
