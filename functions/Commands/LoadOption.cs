using System.CommandLine;

namespace R1Serverless.Commands;

/// <summary>What is asked in a benchmark: <c>--clients</c>, <c>--prompt</c>, <c>--tokens</c>.</summary>
internal static class LoadOption
{
    private const int Most = 100_000;

    private static readonly Option<int[]> Clients = NumberOption.Bound(new Option<int[]>("--clients")
    {
        Description = "How many requests at once, 1 to 1024; may be given several times. [default: 1, 8 and 32]", HelpName = "N",
    }, 1, 1024);

    private static readonly Option<int> Prompt = NumberOption.Create(
        "--prompt", 32, 1, Most, "Length of each prompt, in random tokens, or in random numbers where a server is asked.");

    private static readonly Option<int> Tokens = NumberOption.Create("--tokens", 128, 2, Most, "Tokens to generate for each request.");

    public static void AddTo(Command command)
    {
        foreach (var option in (Option[])[Clients, Prompt, Tokens]) command.Options.Add(option);
    }

    public static (IReadOnlyList<int> Clients, int PromptTokens, int OutputTokens) Read(ParseResult arguments) =>
        (arguments.GetValue(Clients) is { Length: > 0 } named ? named : [1, 8, 32], arguments.GetValue(Prompt), arguments.GetValue(Tokens));
}
