namespace R1Serverless.Tests.EndToEnd;

/// <summary>How the process starts, refuses to start, and stops.</summary>
public sealed class ProcessTests
{
    [Fact]
    public async Task On_SIGTERM_the_answer_in_flight_finishes_and_the_exit_code_is_0()
    {
        await using var server = await ServeProcess.StartAsync("--grace", "120");
        using var stream = await server.BeginLongStreamAsync(tokens: 1500);
        server.SendTerminate();
        var rest = await stream.ReadToEndAsync();
        Assert.EndsWith("data: [DONE]\n\n", rest, StringComparison.Ordinal);
        Assert.DoesNotContain("\"error\"", rest, StringComparison.Ordinal);
        Assert.Equal(0, await server.ExitAsync());
    }

    [Fact]
    public async Task With_nothing_in_flight_SIGTERM_ends_it_at_once()
    {
        // Longer than the test waits for the end.
        await using var server = await ServeProcess.StartAsync("--grace", "600");
        server.SendTerminate();
        Assert.Equal(0, await server.ExitAsync());
        // All of it has been heard only now.
        Assert.Contains("curl http://127.0.0.1:", server.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_address_beyond_loopback_without_a_key_is_refused()
    {
        (var code, var output) = await ServeProcess.RefusedAsync("--urls", "http://0.0.0.0:0");
        Assert.Equal(1, code);
        Assert.Contains("R1_API_KEY", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_that_is_not_there_is_refused()
    {
        (var code, var output) = await ServeProcess.RefusedAsync("--urls", "http://127.0.0.1:0", "--model", "no-such-model");
        Assert.Equal(1, code);
        Assert.Contains("no-such-model", output, StringComparison.Ordinal);
    }
}
