using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace R1Serverless.Tests.Triggers;

/// <summary>
/// Does with a published folder what the Azure Functions host was seen to do: starts what host.json says, asks its port until it answers, hands requests from outside on
/// by their original path where an HTTP function's route takes them, and posts the invocations of all other functions to their names.
/// </summary>
internal sealed class StandInHost : IAsyncDisposable
{
    private static readonly TimeSpan PollTime = TimeSpan.FromMilliseconds(25), StartLimit = TimeSpan.FromMinutes(2);

    private readonly Process _handler;
    private readonly StringBuilder _output = new();

    private StandInHost(string folder, string data, IReadOnlyDictionary<string, string> settings)
    {
        using JsonDocument host = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "host.json")));
        JsonElement started = host.RootElement.GetProperty("customHandler").GetProperty("description");
        Functions = FunctionFile.In(folder);
        int port = QuietPorts.Take();
        Address = new Uri($"http://127.0.0.1:{port}");
        ProcessStartInfo start = new(Path.Combine(folder, started.GetProperty("defaultExecutablePath").GetString()!))
        {
            WorkingDirectory = folder, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        foreach (JsonElement one in started.GetProperty("arguments").EnumerateArray()) start.ArgumentList.Add(one.GetString()!);
        foreach (string one in start.Environment.Keys.Where(name => name.StartsWith("R1_", StringComparison.Ordinal)).ToArray()) start.Environment.Remove(one);
        start.Environment["FUNCTIONS_CUSTOMHANDLER_PORT"] = $"{port}";
        // The host's own, which it hands down with all the rest; taken, it would be an address that needs a key.
        start.Environment["ASPNETCORE_URLS"] = "http://+:8080";
        start.Environment["XDG_DATA_HOME"] = data;
        foreach ((string name, string value) in settings) start.Environment[name] = value;
        _handler = new Process { StartInfo = start };
        _handler.OutputDataReceived += (_, line) => Hear(line.Data);
        _handler.ErrorDataReceived += (_, line) => Hear(line.Data);
        _handler.Start();
        _handler.BeginOutputReadLine();
        _handler.BeginErrorReadLine();
        Direct = new HttpClient { BaseAddress = Address, Timeout = StartLimit };
        Client = new HttpClient(new HostFront(Functions, new SocketsHttpHandler())) { BaseAddress = Address, Timeout = StartLimit };
    }

    public IReadOnlyList<FunctionFile> Functions { get; }

    /// <summary>Where the handler listens, which only the host knows.</summary>
    public Uri Address { get; }

    /// <summary>As a client outside sees the app.</summary>
    public HttpClient Client { get; }

    /// <summary>Past the host.</summary>
    public HttpClient Direct { get; }

    /// <summary>What the handler has said on both of its streams.</summary>
    public string Output
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    /// <param name="folder">As published.</param>
    /// <param name="data">What stands for the user's folder: the handler keeps its own below r1serverless in it.</param>
    /// <param name="settings">The app's.</param>
    public static async Task<StandInHost> StartAsync(string folder, string data, IReadOnlyDictionary<string, string>? settings = null)
    {
        StandInHost host = new(folder, data, settings ?? new Dictionary<string, string>());
        try
        {
            await host.UntilUpAsync();
            return host;
        }
        catch (Exception)
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Asks until the app takes requests.</summary>
    public async Task UntilReadyAsync()
    {
        using CancellationTokenSource limit = new(StartLimit);
        while (true)
        {
            using HttpResponseMessage answer = await Client.GetAsync("/health/ready", limit.Token);
            if (answer.IsSuccessStatusCode) return;
        }
    }

    /// <summary>Invokes a function as the host does for all triggers but HTTP's.</summary>
    public async Task<(int Status, JsonElement Body)> InvokeAsync(string function, string body, string? invocation = null)
    {
        Assert.False(Functions.Single(one => one.Name == function).IsHttp);
        using HttpRequestMessage request = new(HttpMethod.Post, $"/{function}") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        request.Headers.Add("X-Azure-Functions-InvocationId", invocation ?? Guid.NewGuid().ToString());
        request.Headers.Add("X-Azure-Functions-HostVersion", "4.1037.0.0");
        using HttpResponseMessage response = await Direct.SendAsync(request);
        // An empty answer would hang the host.
        return ((int)response.StatusCode, JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync()).RootElement);
    }

    /// <summary>As the host ends a handler: nothing is asked before.</summary>
    public async Task KillAsync()
    {
        _handler.Kill();
        await _handler.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        Direct.Dispose();
        if (!_handler.HasExited) await KillAsync();
        _handler.Dispose();
    }

    private async Task UntilUpAsync()
    {
        using CancellationTokenSource limit = new(StartLimit);
        using PeriodicTimer polls = new(PollTime);
        while (true)
        {
            try
            {
                // Whatever the status, it is up.
                using HttpResponseMessage answer = await Direct.GetAsync("/", limit.Token);
                return;
            }
            catch (HttpRequestException fault) when (fault.InnerException is SocketException)
            {
                Assert.False(_handler.HasExited, Output);
                await polls.WaitForNextTickAsync(limit.Token);
            }
        }
    }

    private void Hear(string? line)
    {
        if (line is null) return;
        lock (_output) _output.AppendLine(line);
    }
}
