using System.Text.Json;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>OpenAI's client for Node, unchanged, against a gateway whose batches a worker in another process runs:
/// <c>tests/sdk/batches.mjs</c>.</summary>
public sealed class NodeSdkTests(SharedPair pair) : IClassFixture<SharedPair>
{
    private const int Lines = 20;

    [Fact]
    public async Task The_official_node_sdk_runs_reads_lists_cancels_and_deletes()
    {
        var seen = await NodeScript.RunAsync("batches.mjs", new Uri(pair.Gateway.Client.BaseAddress!, "/v1").ToString(), $"{Lines}");
        Assert.Equal("""["file","batch","sums.jsonl",true,true]""", seen.GetProperty("file").GetRawText());
        Assert.Equal("""["batch","validating","test"]""", seen.GetProperty("created").GetRawText());
        Assert.Equal("completed", seen.GetProperty("status").GetString());
        Assert.Equal((Lines, Lines, 0), Counts(seen.GetProperty("counts")));
        Assert.Equal(JsonValueKind.Null, seen.GetProperty("errorFile").ValueKind);
        Assert.Equal(Enumerable.Range(0, Lines).Select(i => $"sum-{i}"), Texts(seen.GetProperty("ids")));
        Assert.Equal(Enumerable.Range(0, Lines).Select(i => $"{100 + (2 * i)}"), Texts(seen.GetProperty("texts")));
        Assert.True(seen.GetProperty("listed").GetBoolean());
        Assert.True(seen.GetProperty("files").GetBoolean());
        Assert.Equal(("cancelling", "cancelled"), (seen.GetProperty("cancelling").GetString(), seen.GetProperty("cancelled").GetString()));
        Assert.Equal("[true,true]", seen.GetProperty("deleted").GetRawText());
        Assert.Equal("NotFoundError 404 file_not_found", seen.GetProperty("gone").GetString());
    }

    private static (int Total, int Completed, int Failed) Counts(JsonElement counts) =>
        (counts.GetProperty("total").GetInt32(), counts.GetProperty("completed").GetInt32(), counts.GetProperty("failed").GetInt32());

    private static IEnumerable<string> Texts(JsonElement list) => list.EnumerateArray().Select(one => one.GetString()!);
}
