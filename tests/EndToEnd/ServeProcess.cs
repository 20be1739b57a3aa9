using System.ClientModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using OpenAI;
using OpenAI.Chat;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>The real executable in a process of its own, on a free port, with the shipped model in a data folder of its own.</summary>
public sealed partial class ServeProcess : IAsyncDisposable
{
    public const string Model = "r1-nano";
    private const int Terminate = 15, Suspend = 19;
    private static readonly TimeSpan StartLimit = TimeSpan.FromMinutes(2), RequestLimit = TimeSpan.FromMinutes(5);
    private readonly string? _ownData;
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly TaskCompletionSource<Uri> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ServeProcess(string? data, string[] arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        data ??= _ownData = Directory.CreateTempSubdirectory("r1-serve-").FullName;
        // Two tests run at once, and a step's threads wait for each other: where one of them has to wait for a core, one thread alone is many times
        // faster.
        if (!arguments.Contains("--threads", StringComparer.Ordinal)) arguments = [.. arguments, "--threads", "1"];
        ProcessStartInfo start = new("dotnet") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var one in (string[])[Path.Combine(AppContext.BaseDirectory, "r1.dll"), "serve", "--data", data, .. arguments])
            start.ArgumentList.Add(one);
        ChildProcess.Isolate(start);
        if (!arguments.Intersect(["--model", "--models-from", "gateway"], StringComparer.Ordinal).Any()
            && environment?.ContainsKey("R1_MODELS") != true) GiveModel(data);
        foreach ((var name, var value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        _process = new Process { StartInfo = start, EnableRaisingEvents = true };
        _process.OutputDataReceived += (_, line) => Hear(line.Data);
        _process.ErrorDataReceived += (_, line) => Hear(line.Data);
        _process.Exited += (_, _) => _ready.TrySetException(new InvalidOperationException($"r1 ended: {Output}"));
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public HttpClient Client { get; private set; } = new();

    /// <summary>What the process has said on both of its streams.</summary>
    public string Output
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    /// <summary>Returns when the process has said this: its answers come another way, and may be here first.</summary>
    public async Task UntilSaidAsync(string text)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromMinutes(1));
        while (!Output.Contains(text, StringComparison.Ordinal))
        {
            Assert.False(limit.IsCancellationRequested, $"'{text}' was not said: {Output}");
            await Task.Delay(1);
        }
    }

    /// <summary>Starts and waits until it is ready.</summary>
    public static Task<ServeProcess> StartAsync(params string[] arguments) => StartInAsync(null, arguments);

    /// <summary>The same in a data folder that other processes use too and that outlives this one; null for one of its own.</summary>
    public static Task<ServeProcess> StartInAsync(string? data, params string[] arguments) =>
        StartInAsync(data, new Dictionary<string, string>(), arguments);

    /// <summary>The same with more variables in its environment.</summary>
    public static async Task<ServeProcess> StartInAsync(string? data, IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        ServeProcess process = new(data, ["--urls", "http://127.0.0.1:0", .. arguments], environment);
        try
        {
            await process._ready.Task.WaitAsync(StartLimit);
            process.Client = new HttpClient { BaseAddress = await process._listening.Task, Timeout = RequestLimit };
            return process;
        }
        catch (Exception)
        {
            await process.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts with arguments that must be refused; the exit code and what was said.</summary>
    public static Task<(int Code, string Output)> RefusedAsync(params string[] arguments) =>
        RefusedAsync(new Dictionary<string, string>(), arguments);

    /// <summary>The same with more variables in its environment.</summary>
    public static async Task<(int Code, string Output)> RefusedAsync(IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        await using ServeProcess process = new(null, arguments, environment);
        var code = await process.ExitAsync();
        return (code, process.Output);
    }

    public ChatClient Chat(string model = Model) => new(
        model, new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(Client.BaseAddress!, "/v1") });

    public static HttpRequestMessage Ask(string question, string more = "") => new(HttpMethod.Post, "/v1/chat/completions")
    {
        Content = new StringContent(
            $$"""{"model":"{{Model}}","messages":[{"role":"user","content":"{{question}}"}],"temperature":0{{more}}}""", Encoding.UTF8,
            "application/json"),
    };

    /// <summary>A stream that goes on for a while, whatever the model thinks of it; it has begun to answer.</summary>
    /// <param name="choices">More take longer: the model writes ten thousand tokens a second of one alone, thirty of many.</param>
    public async Task<StreamReader> BeginLongStreamAsync(int tokens, int choices = 4)
    {
        var request = Ask("What is 12 + 30?", $",\"stream\":true,\"ignore_eos\":true,\"n\":{choices},\"max_tokens\":{tokens}");
        var response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        response.EnsureSuccessStatusCode();
        StreamReader reader = new(await response.Content.ReadAsStreamAsync());
        while (await reader.ReadLineAsync() is { } line && !line.Contains("reasoning", StringComparison.Ordinal))
        {
            Assert.DoesNotContain("[DONE]", line, StringComparison.Ordinal);
        }

        return reader;
    }

    /// <summary>Sequences of the model that run and wait.</summary>
    public async Task<(int Running, int Waiting)> LoadAsync()
    {
        using var health = JsonDocument.Parse(await Client.GetStringAsync("/health/ready"));
        var model = health.RootElement.GetProperty("models")[0];
        return (model.GetProperty("running").GetInt32(), model.GetProperty("waiting").GetInt32());
    }

    /// <summary>Asks again and again until no sequence runs or waits.</summary>
    public async Task UntilIdleAsync()
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(30));
        while (await LoadAsync() != (0, 0)) limit.Token.ThrowIfCancellationRequested();
    }

    /// <summary>As kill -9 does.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>The files that are mapped into the process's memory, libraries among them.</summary>
    public Task<string> MappedFilesAsync() => File.ReadAllTextAsync($"/proc/{_process.Id}/maps");

    public void SendTerminate() => Assert.Equal(0, Kill(_process.Id, Terminate));

    /// <summary>It lives, and does nothing any more.</summary>
    public void SendSuspend() => Assert.Equal(0, Kill(_process.Id, Suspend));

    public async Task<int> ExitAsync()
    {
        using CancellationTokenSource limit = new(StartLimit);
        await _process.WaitForExitAsync(limit.Token);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        if (_ownData is not null) Directory.Delete(_ownData, recursive: true);
    }

    /// <summary>Leaves the shipped model in the data folder as an earlier start would: building it takes longer than all the rest of a
    /// start.</summary>
    private static void GiveModel(string data)
    {
        var place = Path.Combine(data, "models", Model);
        if (Directory.Exists(place)) return;
        Directory.CreateDirectory(Path.GetDirectoryName(place)!);
        var whole = Directory.CreateDirectory(Path.Combine(data, $"{Model}-{Guid.NewGuid():n}")).FullName;
        foreach (var file in Directory.EnumerateFiles(TestModels.Nano.Path)) File.Copy(file, Path.Combine(whole, Path.GetFileName(file)));
        // At once, as another process over the same folder may start beside this one.
        Directory.Move(whole, place);
    }

    private void Hear(string? line)
    {
        if (line is null) return;
        lock (_output) _output.AppendLine(line);
        const string Listening = "Listening on ";
        if (line.StartsWith(Listening, StringComparison.Ordinal)) _listening.TrySetResult(new Uri(line[Listening.Length..].Split(' ')[0]));
        if (line.StartsWith("Ready", StringComparison.Ordinal)) _ready.TrySetResult();
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
