using System.CommandLine;
using R1Serverless.Bench;
using R1Serverless.Client;
using R1Serverless.ModelBuilder.Checkpoints;
using Spectre.Console;

namespace R1Serverless.Commands;

/// <summary><c>r1 bench serve</c>: how fast a running server answers, whichever it is.</summary>
internal static class BenchServeCommand
{
    private const int WarmupTokens = 16;

    private static readonly Argument<Uri> Url = new("url")
    {
        Description = "The server's address, with or without the API's /v1.", CustomParser = TextOption.Address,
    };

    private static readonly Option<string> Model = new("--model")
    {
        Description = "The model's name, as the server knows it.", HelpName = "NAME", DefaultValueFactory = _ => ShippedModels.Nano,
    };

    private static readonly Option<int> Requests =
        NumberOption.Create("--requests", 4, 1, 100_000, "Requests of each client, one after the other.");

    private static readonly Option<bool> IgnoreEnd = new("--ignore-eos")
    {
        Description =
            "Ask for answers that go on to their last token, by the field ignore_eos, which vLLM and R1Serverless know and others may refuse.",
    };

    public static Command Create()
    {
        Command command = new("serve", "Measure a server that speaks the OpenAI API: streamed chats, time to the first token and tokens per second.")
        {
            Url, Model, Requests, IgnoreEnd, CommonOptions.ServerKey, CommonOptions.Json,
        };
        LoadOption.AddTo(command);
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var url = arguments.GetRequiredValue(Url);
        var model = arguments.GetRequiredValue(Model);
        (var concurrencies, var promptTokens, var outputTokens) = LoadOption.Read(arguments);
        bool isJson = arguments.GetValue(CommonOptions.Json), ignoresEnd = arguments.GetValue(IgnoreEnd);
        var console = TableConsole.Create(isJson);
        using var server = HttpInference.Connect(url, CommonOptions.ReadServerKey(arguments));
        LoadClient client = new(server, model);
        // Others in each run, too: a server may keep the keys and values of prompts that it has seen.
        var prompt = Random.Shared.Next(int.MaxValue / 2);
        List<BenchRow> rows = [];
        await console.Status().StartAsync("Warming up", async status =>
        {
            foreach (var clients in concurrencies)
            {
                status.Status($"{clients} at once");
                await LoadAsync(LoadShape.Uniform(clients, 1, promptTokens, Math.Min(WarmupTokens, outputTokens)));
                var result = await LoadAsync(LoadShape.Uniform(clients, arguments.GetValue(Requests), promptTokens, outputTokens));
                rows.Add(new BenchRow(clients, result.FirstToken, result.Gap, result.TokensPerSecond, Raw: null, OfRaw: null));
            }
        });
        new BenchReport(model, url.ToString(), rows).Print(console, isJson);
        return 0;

        Task<LoadResult> LoadAsync(LoadShape shape)
        {
            shape = shape with { FirstPrompt = prompt };
            prompt += shape.OutputTokens.Count;
            return LoadGenerator.RunAsync(shape, (words, tokens, onText, stop) => client.ChatAsync(words, tokens, ignoresEnd, onText, stop),
                cancellation);
        }
    }
}
