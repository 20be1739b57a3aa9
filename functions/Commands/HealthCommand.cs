using System.CommandLine;
using R1Serverless.Serving;

namespace R1Serverless.Commands;

/// <summary><c>r1 health</c>: asks a server on this machine, for container images, which have no other client.</summary>
internal static class HealthCommand
{
    public const string Ready = "/health/ready", Live = "/health/live";

    private const string UrlsVariable = "ASPNETCORE_URLS";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    public static Command Create()
    {
        Option<string?> url = new("--url")
        {
            Description = $"The server's address. [default: this machine's, by {UrlsVariable} or {ListenAddresses.Default}]", HelpName = "URL",
        };
        Option<bool> live = new("--live") { Description = $"Ask {Live}, whether it answers at all, instead of {Ready}, whether it takes requests." };
        Command command = new("health", "Ask a server whether it is ready; the exit code is 0 if so, else 1.") { url, live };
        command.SetAction((arguments, cancellation) => RunAsync(
            arguments.GetValue(url) ?? Local(TextOption.Set(UrlsVariable)), arguments.GetValue(live) ? Live : Ready,
            cancellation));
        return command;
    }

    /// <summary>Where a server that listens on the first of these addresses answers on this machine.</summary>
    /// <param name="urls">As ASP.NET Core writes them, separated by ';'; null or empty for the default.</param>
    public static string Local(string? urls)
    {
        var address = BindingAddress.Parse(ListenAddresses.Split(string.IsNullOrEmpty(urls) ? ListenAddresses.Default : urls)[0]);
        var host = address.Host is "+" or "*" or "0.0.0.0" or "[::]" ? "127.0.0.1" : address.Host;
        return $"{address.Scheme}://{host}:{address.Port}";
    }

    private static async Task<int> RunAsync(string server, string path, CancellationToken cancellation)
    {
        if (!Uri.TryCreate(server.TrimEnd('/') + path, UriKind.Absolute, out var address))
        {
            await Console.Error.WriteLineAsync($"r1: '{server}' is not an address. Write it like {ListenAddresses.Default}.");
            return 2;
        }

        using HttpClient client = new() { Timeout = Patience };
        try
        {
            using var response = await client.GetAsync(address, cancellation);
            Console.WriteLine($"{address}: {(int)response.StatusCode} {await response.Content.ReadAsStringAsync(cancellation)}");
            return response.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception fault) when (fault is HttpRequestException or TaskCanceledException && !cancellation.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync($"r1: {address} does not answer: {fault.Message}");
            return 1;
        }
    }
}
