using System.CommandLine;
using R1Serverless.Api;
using R1Serverless.Auth;
using R1Serverless.Storage;

namespace R1Serverless.Commands;

/// <summary><c>r1 keys</c>: named API keys in a file or vault. A key itself is printed once, when it is made, and kept nowhere.</summary>
internal static class KeysCommand
{
    private static readonly Option<string?> Keys = CommonOptions.Keys("Where the keys are kept");

    private static readonly Argument<string> Name = new("NAME") { Description = "The key's name: letters, digits, dots, hyphens and underscores." };

    private static readonly Option<bool> Admin = new("--admin") { Description = "For operators: opens /manage instead of the models." };

    private static readonly Option<TimeSpan?> Expires =
        TextOption.Duration("--expires", "How long the key lasts, such as 90d or 12h. [default: create: for ever; rotate: as before]");

    private static readonly Option<TimeSpan?> Overlap =
        TextOption.Duration("--overlap",
            "How long the old secret goes on beside the new one, such as 24h or 30m; 0s ends it at once. [default: 24h]");

    private static readonly Option<int?> MaxConcurrent =
        Limit("--max-concurrent", "Requests at once whose clients wait. [default: what the server gives to every key]");

    private static readonly Option<int?> MaxQueued =
        Limit("--max-queued", "Requests that wait without their clients, lines of batches included. [default: what the server gives to every key]");

    private static readonly Option<int?> RequestsPerMinute = Limit("--requests-per-minute", "Calls that make work, per minute. [default: no limit]");

    private static readonly Option<int?> TokensPerMinute =
        Limit("--tokens-per-minute", "Tokens of prompts and answers, per minute. [default: no limit]");

    private static readonly Option<bool> IfMissing = new("--if-missing") { Description = "Do nothing if there is a key of this name." };

    static KeysCommand() => Name.Validators.Add(result =>
    {
        if (result.Tokens is [{ Value: var text }] && !ApiKey.IsName(text)) result.AddError($"NAME must be {ApiKey.NameForm}.");
    });

    public static Command Create() =>
        new("keys", "Named API keys: who may call, how much, and until when. Servers that were given the same place see changes without a restart.")
    {
        Verb("create", "Make a key and print it, this once.", CreateAsync, [Name],
            [Admin, IfMissing, Expires, MaxConcurrent, MaxQueued, RequestsPerMinute, TokensPerMinute]),
        Verb("list", "The keys by name; only their hashes are kept, and not shown.", ListAsync, [], [CommonOptions.Json]),
        Verb("rotate", "Give a key a new secret, printed this once. Requests, files and batches stay its own.", RotateAsync, [Name],
            [Overlap, Expires]),
        Verb("revoke", "Take a key away for good. What is running goes on to its end.", RevokeAsync, [Name], []),
    };

    private static Command Verb(string name, string description, Func<ParseResult, KeySource, CancellationToken, Task> action, Argument[] arguments,
        Option[] options)
    {
        Command command = new(name, description);
        foreach (var argument in arguments) command.Arguments.Add(argument);
        foreach (var option in options) command.Options.Add(option);
        command.Options.Add(Keys);
        command.SetAction((parsed, cancellation) => PlainErrors.CatchAsync(() => RunAsync(parsed, action, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, Func<ParseResult, KeySource, CancellationToken, Task> action,
        CancellationToken cancellation)
    {
        var place = CommonOptions.ReadKeys(arguments, Keys)
            ?? throw new InvalidKeysException("Say where the keys are kept: --keys FILE, or set R1_KEYS.");
        if (KeySources.Refusal(place) is { } refusal) throw new InvalidKeysException($"R1_KEYS: {refusal}");
        await action(arguments, KeySources.Create(place), cancellation);
        return 0;
    }

    private static async Task CreateAsync(ParseResult arguments, KeySource source, CancellationToken cancellation)
    {
        var now = TimeProvider.System.GetUtcNow();
        string name = arguments.GetRequiredValue(Name), secret = KeySecret.New();
        if (arguments.GetValue(IfMissing) && await source.ReadAsync(cancellation) is { } present
            && Read(source, present).Any(one => one.Name == name))
        {
            await Console.Error.WriteLineAsync($"There is a key {name} in {source.Description}.");
            return;
        }

        ApiKey key = new(name, KeySecret.NewId(), KeySecret.Hash(secret))
        {
            Scopes = arguments.GetValue(Admin) ? AccessScopes.Admin : AccessScopes.Inference,
            Limits = new(arguments.GetValue(MaxConcurrent), arguments.GetValue(MaxQueued), arguments.GetValue(RequestsPerMinute),
                arguments.GetValue(TokensPerMinute)),
            Created = now,
            Expires = arguments.GetValue(Expires) is { } lifetime ? now + lifetime : null,
        };
        await source.ChangeAsync(content => KeyFileFormat.Write(KeyChanges.Create(content is { } json ? Read(source, json) : [], key)), cancellation);
        Show(secret, $"The key {key.Name}, in {source.Description}. It is shown this once: keep it safe.");
    }

    private static async Task RotateAsync(ParseResult arguments, KeySource source, CancellationToken cancellation)
    {
        var now = TimeProvider.System.GetUtcNow();
        (var name, var secret) = (arguments.GetRequiredValue(Name), KeySecret.New());
        var overlap = arguments.GetValue(Overlap) ?? TimeSpan.FromHours(24);
        DateTimeOffset? expires = arguments.GetValue(Expires) is { } lifetime ? now + lifetime : null;
        PreviousKey? previous = null;
        await source.ChangeAsync(
            content =>
            {
                var keys = KeyChanges.Rotate(Existing(source, content), name, KeySecret.Hash(secret), overlap, expires, now);
                previous = keys.Single(key => key.Name == name).Previous;
                return KeyFileFormat.Write(keys);
            },
            cancellation);
        Show(secret,
            $"The new secret of {name}, shown this once. The old one "
            + $"{(previous is null ? "opens nothing any more" : $"goes on until {UtcTime.Format(previous.Expires)}")}.");
    }

    private static async Task RevokeAsync(ParseResult arguments, KeySource source, CancellationToken cancellation)
    {
        var name = arguments.GetRequiredValue(Name);
        await source.ChangeAsync(content => KeyFileFormat.Write(KeyChanges.Revoke(Existing(source, content), name)), cancellation);
        Console.WriteLine($"{name} opens nothing any more, as soon as the servers have looked: within {source.Interval.TotalSeconds:0} s.");
    }

    private static async Task ListAsync(ParseResult arguments, KeySource source, CancellationToken cancellation)
    {
        var keys = Existing(source, await source.ReadAsync(cancellation));
        if (arguments.GetValue(CommonOptions.Json)) JsonAnswers.WriteIndented(Console.OpenStandardOutput(), KeyFileFormat.List(keys));
        else KeysPrinter.Write(keys, TimeProvider.System.GetUtcNow());
    }

    private static IReadOnlyList<ApiKey> Existing(KeySource source, ReadOnlyMemory<byte>? content) =>
        content is { } json ? Read(source, json)
        : throw new InvalidKeysException($"There is no {source.Description}: make the first key with r1 keys create NAME.");

    private static IReadOnlyList<ApiKey> Read(KeySource source, ReadOnlyMemory<byte> content)
    {
        try
        {
            return KeyFileFormat.Read(content);
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

    private static Option<int?> Limit(string name, string description) =>
        NumberOption.Bound(new Option<int?>(name) { Description = description, HelpName = "N" }, 1, KeyLimits.Largest);
}
