using System.CommandLine;
using R1Serverless.Access;

namespace R1Serverless.Commands;

/// <summary>The limits that a key may be made with.</summary>
internal static class LimitOptions
{
    private static readonly Option<int?> MaxConcurrent = Create("--max-concurrent", "Requests at once whose clients wait. [default: what the server gives to every key]");

    private static readonly Option<int?> MaxQueued = Create("--max-queued", "Requests that wait without their clients, lines of batches included. [default: what the server gives to every key]");

    private static readonly Option<int?> RequestsPerMinute = Create("--requests-per-minute", "Calls that make work, per minute. [default: no limit]");

    private static readonly Option<int?> TokensPerMinute = Create("--tokens-per-minute", "Tokens of prompts and answers, per minute. [default: no limit]");

    public static IReadOnlyList<Option> All { get; } = [MaxConcurrent, MaxQueued, RequestsPerMinute, TokensPerMinute];

    public static KeyLimits Read(ParseResult arguments) =>
        new(arguments.GetValue(MaxConcurrent), arguments.GetValue(MaxQueued), arguments.GetValue(RequestsPerMinute), arguments.GetValue(TokensPerMinute));

    private static Option<int?> Create(string name, string description) =>
        NumberOption.Bound(new Option<int?>(name) { Description = description, HelpName = "N" }, 1, KeyLimits.Largest);
}
