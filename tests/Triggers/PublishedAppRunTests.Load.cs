using System.Net;
using R1Serverless.Tests.EndToEnd;
using R1Serverless.Tests.Triggers.Host;

namespace R1Serverless.Tests.Triggers;

/// <summary>Large bodies and many streams.</summary>
public sealed partial class PublishedAppRunTests
{
    private const int LargestFile = 200_000_000;

    [Fact]
    public async Task A_file_of_two_hundred_megabytes_comes_in_and_a_larger_one_is_refused_in_words()
    {
        await using var host = await StandInHost.StartAsync(
            app.Folder, _data, new Dictionary<string, string> { ["R1_API_KEY"] = Key, ["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"] = "1073741824" });
        host.Client.DefaultRequestHeaders.Authorization = new("Bearer", Key);
        await host.UntilReadyAsync();
        using var fits = await UploadAsync(host, LargestFile);
        Assert.Equal((HttpStatusCode.OK, LargestFile), (fits.StatusCode, (await JsonAsync(fits)).GetProperty("bytes").GetInt32()));
        using var larger = await UploadAsync(host, LargestFile + (1 << 20));
        Assert.Equal((HttpStatusCode.RequestEntityTooLarge, "file_too_large"),
            (larger.StatusCode, (await JsonAsync(larger)).GetProperty("error").GetProperty("code").GetString()));
    }

    [Fact]
    public async Task Sixty_four_streams_at_once_end_as_one_does()
    {
        await using var host = await StartAsync();
        await using var worker = await WorkerAsync();
        var ends = await Task.WhenAll(Enumerable.Range(0, 64).Select(async _ =>
        {
            using var stream =
                await host.Client.SendAsync(ServeProcess.Ask("What is 12 + 30?", ",\"stream\":true"), HttpCompletionOption.ResponseHeadersRead);
            Assert.Equal(HttpStatusCode.OK, stream.StatusCode);
            return (await stream.Content.ReadAsStringAsync())[^14..];
        }));
        Assert.All(ends, one => Assert.Equal("data: [DONE]\n\n", one));
    }

    private static async Task<HttpResponseMessage> UploadAsync(StandInHost host, int bytes)
    {
        var file = new byte[bytes];
        Array.Fill(file, (byte)'x');
        using MultipartFormDataContent form =
            new() { { new StringContent("batch"), "purpose" }, { new ByteArrayContent(file), "file", "large.jsonl" } };
        return await host.Client.PostAsync("/v1/files", form);
    }
}
