using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using R1Serverless.Bench;

namespace R1Serverless.Commands;

/// <summary><c>r1 bench-client</c>: the client process of <c>r1 bench</c>, which starts it; prints one <see cref="LoadResult"/> as JSON.</summary>
internal static class BenchClientCommand
{
    private const int WarmupTokens = 48;

    private static readonly Option<string> Url = new("--url") { Required = true };
    private static readonly Option<string> Model = new("--model") { Required = true };
    private static readonly Option<int> Clients = new("--clients") { Required = true };
    private static readonly Option<int> Prompt = new("--prompt") { Required = true };
    private static readonly Option<string> Outputs = new("--outputs") { Required = true };

    public static Command Create()
    {
        var command = new Command("bench-client", "The client process of `r1 bench`.") { Url, Model, Clients, Prompt, Outputs };
        command.Hidden = true;
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var clients = arguments.GetValue(Clients);
        using var handler = new SocketsHttpHandler { MaxConnectionsPerServer = clients };
        using var client = new HttpClient(handler) { BaseAddress = new Uri(arguments.GetValue(Url)!) };
        var door = new HttpDoor(client, arguments.GetValue(Model)!);
        int[] outputs = [.. arguments.GetValue(Outputs)!.Split(',').Select(o => int.Parse(o, CultureInfo.InvariantCulture))];
        // One short request first: the client's own JIT and connections are not what is measured.
        await LoadGenerator.RunAsync(new LoadShape(clients, 4, [.. Enumerable.Repeat(WarmupTokens, clients)]), door.SendAsync, cancellation);
        var result = await LoadGenerator.RunAsync(new LoadShape(clients, arguments.GetValue(Prompt), outputs), door.SendAsync, cancellation);
        Console.Write(JsonSerializer.Serialize(result, BenchJson.Default.LoadResult));
        return 0;
    }
}
