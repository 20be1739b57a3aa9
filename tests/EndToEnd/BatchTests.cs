#pragma warning disable OPENAI001 // Parts of the official SDK are marked experimental; that is its business, not ours.
using System.ClientModel;
using System.Text;
using System.Text.Json;
using OpenAI;
using OpenAI.Files;

namespace R1Serverless.Tests.EndToEnd;

/// <summary>The official client's files and batches, unchanged, against a gateway whose batches a worker in another process runs.</summary>
public sealed class BatchTests(SharedPair pair) : IClassFixture<SharedPair>
{
    /// <summary>Of a batch that is run to its end, and of one that is still running when it is cancelled.</summary>
    private const int Lines = 40, Many = 1000;

    [Fact]
    public async Task The_official_sdk_uploads_runs_and_reads_a_batch()
    {
        var client = Client(pair.Gateway);
        var files = client.GetOpenAIFileClient();
        OpenAIFile input =
            await files.UploadFileAsync(new MemoryStream(Encoding.UTF8.GetBytes(Input("/v1/chat/completions"))), "sums.jsonl",
                FileUploadPurpose.Batch);
        Assert.Equal(("sums.jsonl", FilePurpose.Batch), (input.Filename, input.Purpose));
        Assert.Equal(input.Id, (await files.GetFileAsync(input.Id)).Value.Id);

        var operation = await client.GetBatchClient().CreateBatchAsync(
            BinaryContent.Create(
            BinaryData.FromString($$"""{"input_file_id":"{{input.Id}}","endpoint":"/v1/chat/completions","completion_window":"24h"}""")),
            waitUntilCompleted: false);
        await operation.WaitForCompletionAsync();
        using var batch = JsonDocument.Parse((await operation.GetBatchAsync(null)).GetRawResponse().Content);
        Assert.Equal("completed", batch.RootElement.GetProperty("status").GetString());
        Assert.Equal(Lines, batch.RootElement.GetProperty("request_counts").GetProperty("completed").GetInt32());

        var output = batch.RootElement.GetProperty("output_file_id").GetString()!;
        Assert.Contains(output, (await files.GetFilesAsync(FilePurpose.BatchOutput)).Value.Select(file => file.Id));
        var text = (await files.DownloadFileAsync(output)).Value.ToString();
        JsonElement[] answers = [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.Equal(Enumerable.Range(0, Lines).Select(i => $"sum-{i}"), answers.Select(line => line.GetProperty("custom_id").GetString()));
        Assert.Equal(
            Enumerable.Range(0, Lines).Select(i => $"{100 + (2 * i)}"),
            answers.Select(
            line => line.GetProperty("response").GetProperty("body").GetProperty("choices")[0].GetProperty("message").GetProperty("content")
            .GetString()!.Trim()));
        Assert.True((await files.DeleteFileAsync(output)).Value.Deleted);
    }

    [Fact]
    public async Task The_official_sdk_learns_why_a_batch_failed_and_cancels_another()
    {
        var client = Client(pair.Gateway);
        OpenAIFile input = await client.GetOpenAIFileClient().UploadFileAsync(
            BinaryData.FromString(Input("/v1/completions")), "wrong.jsonl", FileUploadPurpose.Batch);
        var failed = await client.GetBatchClient().CreateBatchAsync(
            BinaryContent.Create(
            BinaryData.FromString($$"""{"input_file_id":"{{input.Id}}","endpoint":"/v1/chat/completions","completion_window":"1h"}""")),
            waitUntilCompleted: false);
        await failed.WaitForCompletionAsync();
        using var batch = JsonDocument.Parse((await failed.GetBatchAsync(null)).GetRawResponse().Content);
        Assert.Equal("failed", batch.RootElement.GetProperty("status").GetString());
        var error = batch.RootElement.GetProperty("errors").GetProperty("data")[0];
        Assert.Equal(("invalid_url", 1), (error.GetProperty("code").GetString(), error.GetProperty("line").GetInt32()));

        OpenAIFile fine =
            await client.GetOpenAIFileClient()
                .UploadFileAsync(BinaryData.FromString(Input("/v1/chat/completions", Many)), "fine.jsonl", FileUploadPurpose.Batch);
        var cancelled = await client.GetBatchClient().CreateBatchAsync(
            BinaryContent.Create(
            BinaryData.FromString($$"""{"input_file_id":"{{fine.Id}}","endpoint":"/v1/chat/completions","completion_window":"1h"}""")),
            waitUntilCompleted: false);
        await cancelled.CancelAsync(null);
        await cancelled.WaitForCompletionAsync();
        using var ended = JsonDocument.Parse((await cancelled.GetBatchAsync(null)).GetRawResponse().Content);
        Assert.Equal("cancelled", ended.RootElement.GetProperty("status").GetString());
    }

    internal static string Input(string url, int lines = Lines) => string.Concat(Enumerable.Range(0, lines).Select(i =>
        $$$"""{"custom_id":"sum-{{{i}}}","method":"POST","url":"{{{url}}}","body":{"model":"r1-nano","temperature":0,"messages":[{"role":"user","content":"What is {{{50 + i}}} + {{{50 + i}}}?"}]}}""" + "\n"));

    private static OpenAIClient Client(ServeProcess server) =>
        new(new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(server.Client.BaseAddress!, "/v1") });
}
