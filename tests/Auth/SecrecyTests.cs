using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using R1Serverless.Auth;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Auth;

/// <summary>Keys never stand in logs, traces, answers or files, whatever goes wrong.</summary>
public sealed class SecrecyTests
{
    private static readonly string[] Headers = ["Authorization", "api-key"];

    [Fact]
    public async Task No_key_is_ever_told_to_anybody()
    {
        ConcurrentBag<string> told = [];
        using var listener = Listen(told);
        await using var provider = await StandInProvider.StartAsync();
        string known = KeySecret.New(), old = KeySecret.New(), admin = KeySecret.New(), unknown = KeySecret.New(), plain = "plain-" + KeySecret.New();
        var now = TimeProvider.System.GetUtcNow();
        string token = provider.Token(now), expired = provider.Token(now.AddDays(-1)), bent = token[..^6] + "AAAAAA";
        FakeKeySource source = new()
        {
            Keys =
            [
                KeyRingTests.Key("a", known) with { Previous = new PreviousKey(KeySecret.Hash(old), now.AddHours(1)),
                    Limits = new KeyLimits(RequestsPerMinute: 3) },
                KeyRingTests.Key("ops", admin) with { Scopes = AccessScopes.Admin },
            ],
        };
        ServeOptions options =
            new() { ApiKeys = [plain], Keys = source, Entra = new EntraOptions(null, [StandInProvider.Audience], provider.Authority) };
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful(), options);
        server.Services.GetRequiredService<ILoggerFactory>().AddProvider(new Telltale(told));

        string[] secrets = [known, old, admin, unknown, plain, token, expired, bent];
        foreach (var secret in secrets)
        {
            foreach (var header in Headers)
            {
                foreach (var path in (string[])["/v1/models", "/v1/nothing", "/manage/keys", "/manage/queues", "/v1/models?api_key=" + secret])
                    told.Add(await TellAsync(server, With(HttpMethod.Get, path, header, secret)));
                foreach (var more in (string[])["", ",\"stream\":true", ",\"nonsense\":1"])
                {
                    var ask = With(HttpMethod.Post, "/v1/chat/completions", header, secret);
                    ask.Content = new StringContent(TestServer.Chat(more), Encoding.UTF8, "application/json");
                    told.Add(await TellAsync(server, ask));
                }

                var later = With(HttpMethod.Post, "/v1/chat/completions", header, secret);
                later.Content = new StringContent(TestServer.Chat(), Encoding.UTF8, "application/json");
                later.Headers.Add("Prefer", "respond-async");
                told.Add(await TellAsync(server, later));
            }
        }

        // A key in the place of its hash, as somebody may well put it.
        source.Content =
            Encoding.UTF8.GetBytes($$"""{"version":1,"keys":[{"name":"a","id":"00000000000000aa","sha256":"{{known}}","scopes":["inference"]}]}""");
        await Eventually.HoldsAsync(() => told.Any(one => one.Contains("keys[0].sha256 must be", StringComparison.Ordinal)),
            "a word about the key in the hash's place");
        told.Add(server.Output.ToString() + server.Errors);
        // While it works, which takes files away, too, and what it leaves.
        foreach (var file in Files(server)) told.Add(await ReadAsync(file, mayBeGone: true));
        await server.StopAsync();
        foreach (var file in Files(server)) told.Add(await ReadAsync(file, mayBeGone: false));

        Assert.Contains(told, one => one.Contains("permission_error", StringComparison.Ordinal));
        Assert.Contains(told, one => one.Contains("Microsoft.AspNetCore.Hosting.HttpRequestIn", StringComparison.Ordinal));
        Assert.Contains(told, one => one.Contains("SQLite format 3", StringComparison.Ordinal));
        string[] shown = [.. secrets.Where(secret => told.Any(one => one.Contains(secret, StringComparison.Ordinal)))];
        Assert.Equal([], shown);
    }

    private static HttpRequestMessage With(HttpMethod method, string path, string header, string secret)
    {
        HttpRequestMessage request = new(method, path);
        request.Headers.TryAddWithoutValidation(header, header == "api-key" ? secret : $"Bearer {secret}");
        return request;
    }

    private static async Task<string> TellAsync(TestServer server, HttpRequestMessage request)
    {
        var response = await server.Client.SendAsync(request);
        return $"{response.Headers} {response.Content.Headers} {await response.Content.ReadAsStringAsync()}";
    }

    private static string[] Files(TestServer server) => Directory.GetFiles(server.DataFolder, "*", SearchOption.AllDirectories);

    private static async Task<string> ReadAsync(string file, bool mayBeGone)
    {
        try
        {
            await using FileStream stream = new(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using StreamReader reader = new(stream, Encoding.Latin1);
            return await reader.ReadToEndAsync();
        }
        catch (FileNotFoundException) when (mayBeGone)
        {
            return "";
        }
    }

    /// <summary>Every activity of the server's: what an exporter of traces would see. Those of the test's own client are not the product's.</summary>
    private static ActivityListener Listen(ConcurrentBag<string> told)
    {
        ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name != "System.Net.Http",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity => told.Add(
                $"{activity.OperationName} {activity.DisplayName} {activity.StatusDescription} {string.Join(' ', activity.TagObjects)} {string.Join(' ', activity.Baggage)} "
                + string.Join(' ', activity.Events.SelectMany(one => one.Tags))),
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }

    private sealed class Telltale(ConcurrentBag<string> told) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
        {
            told.Add($"{state}");
            return null;
        }

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            told.Add(formatter(state, exception) + exception);

        public void Dispose()
        {
        }
    }
}
