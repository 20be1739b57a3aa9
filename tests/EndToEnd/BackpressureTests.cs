using System.Net;
using System.Text.Json;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>A gateway with a backlog: what would wait too long is refused, what would not is taken in.</summary>
public sealed class BackpressureTests(ITestOutputHelper output) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2), Between = TimeSpan.FromMilliseconds(100);

    private readonly string _data = Directory.CreateTempSubdirectory("r1-pressure-").FullName;

    [Fact]
    public async Task A_request_is_refused_while_the_estimated_wait_exceeds_the_limit_and_taken_in_below_it()
    {
        await using ServeProcess gateway = await ServeProcess.StartInAsync(_data, "--role", "gateway", "--max-wait", "3");
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Patience);
        // No worker is there: the first waits, and the estimate grows with its age.
        List<Task<HttpResponseMessage>> accepted = [];
        HttpResponseMessage? refused = null;
        while (refused is null)
        {
            Task<HttpResponseMessage> sent = gateway.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?"), limit.Token);
            if (await Task.WhenAny(sent, Task.Delay(Between, TimeProvider.System, limit.Token)) == sent) refused = await sent;
            else accepted.Add(sent);
        }

        Assert.NotEmpty(accepted);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        int seconds = int.Parse(Assert.Single(refused.Headers.GetValues("Retry-After")), System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(seconds, 4, (int)Patience.TotalSeconds);
        using JsonDocument body = JsonDocument.Parse(await refused.Content.ReadAsStringAsync(limit.Token));
        JsonElement error = body.RootElement.GetProperty("error");
        Assert.Equal(("rate_limit_error", "overloaded"), (error.GetProperty("type").GetString(), error.GetProperty("code").GetString()));
        Assert.Contains("the server takes nothing in above 3 s", error.GetProperty("message").GetString(), StringComparison.Ordinal);

        // Those that wait are answered, and then others are taken in again.
        await using ServeProcess worker = await ServeProcess.StartInAsync(_data, "--role", "worker");
        foreach (HttpResponseMessage answer in await Task.WhenAll(accepted)) Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        HttpStatusCode later;
        do
        {
            later = (await gateway.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?"), limit.Token)).StatusCode;
        }
        while (later == HttpStatusCode.TooManyRequests);
        Assert.Equal(HttpStatusCode.OK, later);
        output.WriteLine($"taken in and answered {accepted.Count}; then 429 with Retry-After {seconds}: {error.GetProperty("message").GetString()}");
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);
}
