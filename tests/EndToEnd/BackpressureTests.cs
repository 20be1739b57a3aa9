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
        await using var gateway = await ServeProcess.StartInAsync(_data, "--role", "gateway", "--max-wait", "3");
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Patience);
        // No worker is there: the first waits, and the estimate grows with its age.
        List<Task<HttpResponseMessage>> sent = [];
        while (!sent.Any(one => one.IsCompleted))
        {
            sent.Add(gateway.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?"), limit.Token));
            await Task.WhenAny(sent[^1], Task.Delay(Between, TimeProvider.System, limit.Token));
        }

        var refused = await sent.First(one => one.IsCompleted);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        var seconds = int.Parse(Assert.Single(refused.Headers.GetValues("Retry-After")), System.Globalization.CultureInfo.InvariantCulture);
        Assert.InRange(seconds, 4, (int)Patience.TotalSeconds);
        using var body = JsonDocument.Parse(await refused.Content.ReadAsStringAsync(limit.Token));
        var error = body.RootElement.GetProperty("error");
        Assert.Equal(("rate_limit_error", "overloaded"), (error.GetProperty("type").GetString(), error.GetProperty("code").GetString()));
        Assert.Contains("the server takes nothing in above 3 s", error.GetProperty("message").GetString(), StringComparison.Ordinal);

        // Those that wait are answered, and then others are taken in again.
        await using var worker = await ServeProcess.StartInAsync(_data, "--role", "worker");
        HttpStatusCode[] answers = [.. (await Task.WhenAll(sent)).Select(one => one.StatusCode)];
        Assert.Equal(HttpStatusCode.OK, answers[0]);
        // More than one may have been on its way when the first was refused.
        Assert.All(answers, one => Assert.Contains(one, (HttpStatusCode[])[HttpStatusCode.OK, HttpStatusCode.TooManyRequests]));
        HttpStatusCode later;
        do
        {
            later = (await gateway.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?"), limit.Token)).StatusCode;
        }
        while (later == HttpStatusCode.TooManyRequests);
        Assert.Equal(HttpStatusCode.OK, later);
        output.WriteLine(
            $"taken in and answered {answers.Count(one => one == HttpStatusCode.OK)}; then 429 with Retry-After {seconds}: "
            + $"{error.GetProperty("message").GetString()}");
    }

    public void Dispose() => Directory.Delete(_data, recursive: true);
}
