using System.Text.Json;
using R1Serverless.Tests.Benchmarks;
using R1Serverless.Tests.Engine.Tensors;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>gRPC's client for Node, with the published definition, against the real executable: <c>tests/sdk/stream.mjs</c>.</summary>
public sealed class RpcStreamTests
{
    [Fact]
    public async Task Triton_s_streams_give_a_decoder_s_text_in_pieces_and_end_with_no_fault()
    {
        using var tensors = TensorFolder.AddOne();
        var port = R1Server.FreePort();
        await using var server = await ServeProcess.StartAsync("--model", ServeProcess.Model, "--model", tensors.Path, "--grpc-port", $"{port}");
        var seen = await NodeScript.RunAsync(
            "stream.mjs", $"127.0.0.1:{port}", RepositoryFiles.Path("functions", "Api", "Rpc", "inference.proto"), ServeProcess.Model,
            Path.GetFileName(tensors.Path));
        Assert.Equal([seen.GetProperty("pieces").GetString()], seen.GetProperty("whole").EnumerateArray().Select(one => one.GetString()));
        Assert.NotEqual("", seen.GetProperty("pieces").GetString());
        // What comes at nearly the same time goes on together.
        Assert.InRange(seen.GetProperty("count").GetInt32(), 3, 201);
        Assert.All(seen.GetProperty("ends").EnumerateObject(), one => Assert.True(one.Value.GetBoolean(), one.Name));
        Assert.Equal("[2,3,4]", seen.GetProperty("tensor").GetRawText());
        string[] errors = [.. seen.GetProperty("errors").EnumerateArray().Select(one => one.GetString()!)];
        Assert.Contains("speed", errors[0], StringComparison.Ordinal);
        Assert.Contains("nobody", errors[1], StringComparison.Ordinal);
        Assert.Equal("text_output", seen.GetProperty("output").GetString());
        Assert.Equal(JsonValueKind.Number, seen.GetProperty("cancelled").ValueKind);
        Assert.Equal(1, seen.GetProperty("cancelled").GetInt32());
    }
}
