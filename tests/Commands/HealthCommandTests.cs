using R1Serverless.Commands;
using R1Serverless.ModelLoading;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Commands;

/// <summary>The exit code of r1 health, which container engines go by.</summary>
public sealed class HealthCommandTests
{
    [Fact]
    public async Task Zero_means_ready_and_a_server_that_loads_is_alive_but_not_ready()
    {
        TaskCompletionSource<LoadedModels> loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = await TestServer.StartLoadingAsync((_, _, _) => loaded.Task);
        var url = server.Client.BaseAddress!.ToString();
        Assert.Equal(0, await RunAsync("--url", url, "--live"));
        Assert.Equal(1, await RunAsync("--url", url));
        loaded.SetResult(new LoadedModels(FakeInference.Thoughtful(), () => [TestServer.Served()], () => default));
        await server.UntilAsync(ServingPhase.Ready);
        Assert.Equal(0, await RunAsync("--url", url));
    }

    [Fact]
    public async Task One_means_that_nobody_answers_and_two_that_the_address_is_none()
    {
        Assert.Equal(1, await RunAsync("--url", "http://127.0.0.1:1"));
        Assert.Equal(2, await RunAsync("--url", "nonsense"));
    }

    [Theory]
    [InlineData(null, "http://127.0.0.1:7071")]
    [InlineData("", "http://127.0.0.1:7071")]
    [InlineData("http://+:8080", "http://127.0.0.1:8080")]
    [InlineData("http://0.0.0.0:80;http://127.0.0.1:81", "http://127.0.0.1:80")]
    [InlineData("http://[::]:7071", "http://127.0.0.1:7071")]
    [InlineData("http://localhost:5000", "http://localhost:5000")]
    public void Where_a_server_listens_is_where_it_is_asked(string? urls, string expected) => Assert.Equal(expected, HealthCommand.Local(urls));

    private static Task<int> RunAsync(params string[] arguments) => HealthCommand.Create().Parse(arguments).InvokeAsync();
}
