using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using R1Serverless.Bench;
using R1Serverless.Commands;

namespace R1Serverless.Tests.Benchmarks;

/// <summary><c>bench client</c>: started by <c>bench throughput</c>; prints one <see cref="LoadResult"/> as JSON.</summary>
internal static class ClientCommand
{
    private const int WarmupTokens = 48;

    private static readonly Option<string> Url = new("--url") { Required = true };
    private static readonly Option<string> Model = new("--model") { Required = true };
    private static readonly Option<int> Clients = new("--clients") { Required = true };
    private static readonly Option<int> Prompt = new("--prompt") { Required = true };
    private static readonly Option<string> Outputs = new("--outputs") { Required = true };

    public static Command Create()
    {
        var command = new Command("client", "The client process of `bench throughput`.") { Url, Model, Clients, Prompt, Outputs };
        command.Hidden = true;
        command.SetAction((arguments, cancellation) => PlainErrors.CatchAsync(() => RunAsync(arguments, cancellation)));
        return command;
    }

    /// <summary>Runs a load from a client process against a server.</summary>
    /// <exception cref="BenchException">The client failed; its own message is on the error stream.</exception>
    public static async Task<LoadResult> RunChildAsync(Uri server, string model, LoadShape shape, CancellationToken cancellation)
    {
        var child = ChildProcess.Start(
            BenchmarkCommands.Name, "client", "--url", server.ToString(), "--model", model, "--clients", Number(shape.Clients),
            "--prompt", Number(shape.PromptTokens),
            "--outputs", string.Join(',', shape.OutputTokens));
        return JsonSerializer.Deserialize(await ChildProcess.ReadAsync(child, cancellation), BenchmarkJson.Default.LoadResult)!;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellation)
    {
        var clients = arguments.GetValue(Clients);
        using var handler = new SocketsHttpHandler { MaxConnectionsPerServer = clients };
        using var client = new HttpClient(handler) { BaseAddress = new Uri(arguments.GetValue(Url)!) };
        var door = new HttpLoadClient(client, arguments.GetValue(Model)!);
        int[] outputs = [.. arguments.GetValue(Outputs)!.Split(',').Select(o => int.Parse(o, CultureInfo.InvariantCulture))];
        // One short request first: the client's own JIT and connections are not what is measured.
        await LoadGenerator.RunAsync(new LoadShape(clients, 4, [.. Enumerable.Repeat(WarmupTokens, clients)]), door.SendAsync, cancellation);
        var result = await LoadGenerator.RunAsync(new LoadShape(clients, arguments.GetValue(Prompt), outputs), door.SendAsync, cancellation);
        Console.Write(JsonSerializer.Serialize(result, BenchmarkJson.Default.LoadResult));
        return 0;
    }

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
