using System.Net;
using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Api;

public sealed class BatchEndpointTests
{
    private const string Whole = "\"endpoint\":\"/v1/chat/completions\",\"completion_window\":\"24h\",";

    private static readonly string Line =
        $$$"""{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"{{{TestServer.Model}}}","messages":[{"role":"user","content":"6 * 7?"}]}}""";

    [Fact]
    public async Task A_file_goes_in_is_listed_read_and_deleted()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var file = await OkAsync(await UploadAsync(server, Line));
        var id = file.GetProperty("id").GetString()!;
        Assert.Equal(
            ("file", Line.Length, "in.jsonl", "batch", "processed"),
            (Text(file, "object"), file.GetProperty("bytes").GetInt32(), Text(file, "filename"), Text(file, "purpose"), Text(file, "status")));
        Assert.Equal(id, Text(await OkAsync(await server.Client.GetAsync($"/v1/files/{id}")), "id"));
        Assert.Equal(Line, await server.Client.GetStringAsync($"/v1/files/{id}/content"));
        Assert.Equal(id, Text((await OkAsync(await server.Client.GetAsync("/v1/files?purpose=batch"))).GetProperty("data")[0], "id"));
        Assert.Empty((await OkAsync(await server.Client.GetAsync("/v1/files?purpose=batch_output"))).GetProperty("data").EnumerateArray());
        Assert.True((await OkAsync(await server.Client.DeleteAsync($"/v1/files/{id}"))).GetProperty("deleted").GetBoolean());
        await ErrorAsync(await server.Client.GetAsync($"/v1/files/{id}"), HttpStatusCode.NotFound, "file_not_found");
        await ErrorAsync(await server.Client.GetAsync($"/v1/files/{id}/content"), HttpStatusCode.NotFound, "file_not_found");
        Assert.Empty((await OkAsync(await server.Client.GetAsync("/v1/files"))).GetProperty("data").EnumerateArray());
    }

    [Fact]
    public async Task Lists_come_in_pages_from_the_newest_or_the_oldest()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        List<string> ids = [];
        for (var i = 0; i < 5; i++)
        {
            ids.Add(Text(await OkAsync(await UploadAsync(server, $"{i}")), "id"));
            // Ids sort by the millisecond of their making.
            await Task.Delay(2);
        }

        Assert.Equal(ids, await PageAsync("order=asc"));
        Assert.Equal(ids[..2], await PageAsync("order=asc&limit=2", hasMore: true));
        Assert.Equal(ids[2..4], await PageAsync($"order=asc&limit=2&after={ids[1]}", hasMore: true));
        Assert.Equal(ids[4..], await PageAsync($"order=asc&limit=2&after={ids[3]}"));
        Assert.Equal(Enumerable.Reverse(ids).Skip(1), await PageAsync($"after={ids[4]}"));
        foreach (var query in (string[])["limit=0", "limit=x", "limit=10001", "order=up"])
            await ErrorAsync(await server.Client.GetAsync($"/v1/files?{query}"), HttpStatusCode.BadRequest, "invalid_value");

        async Task<IEnumerable<string>> PageAsync(string query, bool hasMore = false)
        {
            var page = await OkAsync(await server.Client.GetAsync($"/v1/files?{query}"));
            Assert.Equal(hasMore, page.GetProperty("has_more").GetBoolean());
            string[] found = [.. page.GetProperty("data").EnumerateArray().Select(file => Text(file, "id"))];
            Assert.Equal((found[0], found[^1]), (Text(page, "first_id"), Text(page, "last_id")));
            return found;
        }
    }

    [Fact]
    public async Task A_batch_is_created_runs_and_gives_its_files()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var input =
            Text(await OkAsync(
                await UploadAsync(server,
                Line + "\n" + Line.Replace("\"a\"", "\"b\"", StringComparison.Ordinal)
                .Replace("\"messages\"", "\"mesages\"", StringComparison.Ordinal))), "id");
        var batch = await OkAsync(await CreateAsync(
            server, input, ",\"metadata\":{\"why\":\"test\"},\"output_expires_after\":{\"anchor\":\"created_at\",\"seconds\":7200}"));
        Assert.Equal(("batch", "validating", "24h", input),
            (Text(batch, "object"), Text(batch, "status"), Text(batch, "completion_window"), Text(batch, "input_file_id")));
        Assert.Equal("test", Text(batch.GetProperty("metadata"), "why"));
        var id = Text(batch, "id");
        batch = await UntilEndedAsync(server, id);
        Assert.Equal("completed", Text(batch, "status"));
        var counts = batch.GetProperty("request_counts");
        Assert.Equal((2, 1, 1),
            (counts.GetProperty("total").GetInt32(), counts.GetProperty("completed").GetInt32(), counts.GetProperty("failed").GetInt32()));
        var output = JsonDocument.Parse(await server.Client.GetStringAsync($"/v1/files/{Text(batch, "output_file_id")}/content")).RootElement;
        var made = await OkAsync(await server.Client.GetAsync($"/v1/files/{Text(batch, "output_file_id")}"));
        Assert.Equal(made.GetProperty("created_at").GetInt64() + 7200, made.GetProperty("expires_at").GetInt64());
        Assert.Equal("a", Text(output, "custom_id"));
        Assert.Equal("42",
            output.GetProperty("response").GetProperty("body").GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        var error = JsonDocument.Parse(await server.Client.GetStringAsync($"/v1/files/{Text(batch, "error_file_id")}/content")).RootElement;
        Assert.Equal("unknown_parameter", error.GetProperty("response").GetProperty("body").GetProperty("error").GetProperty("code").GetString());
        Assert.Equal(id, Text((await OkAsync(await server.Client.GetAsync("/v1/batches"))).GetProperty("data")[0], "id"));
        await ErrorAsync(await server.Client.PostAsync($"/v1/batches/{id}/cancel", null), HttpStatusCode.Conflict, "batch_not_cancellable");
    }

    [Fact]
    public async Task Lines_of_batches_count_among_what_a_key_may_have_waiting()
    {
        FakeInference never = new((_, stop) => Never(stop));
        await using var server =
            await TestServer.StartAsync(never, new ServeOptions { Grace = TimeSpan.Zero, ApiKeys = ["one"], MaxQueuedPerKey = 4 });
        server.Client.DefaultRequestHeaders.Authorization = new("Bearer", "one");
        string two = Text(await OkAsync(await UploadAsync(server, Numbered(2))), "id"),
            five = Text(await OkAsync(await UploadAsync(server, Numbered(5))), "id");
        // More than it may ever have: waiting does not help.
        Assert.Contains("Split", await BusyAsync(await CreateAsync(server, five)), StringComparison.Ordinal);

        var batch = await OkAsync(await CreateAsync(server, two));
        Assert.Equal(HttpStatusCode.Accepted, (await AsyncAsync()).StatusCode);
        await BusyAsync(await CreateAsync(server, two));
        Assert.Equal(HttpStatusCode.Accepted, (await AsyncAsync()).StatusCode);
        await BusyAsync(await AsyncAsync());

        // The lines of a batch that has ended count no more, once they are counted again.
        await OkAsync(await server.Client.PostAsync($"/v1/batches/{Text(batch, "id")}/cancel", null));
        await UntilEndedAsync(server, Text(batch, "id"));
        using CancellationTokenSource limit = new(TimeSpan.FromMinutes(2));
        var again = await CreateAsync(server, two);
        while (again.StatusCode == HttpStatusCode.TooManyRequests)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, limit.Token);
            again = await CreateAsync(server, two);
        }

        await OkAsync(again);

        async Task<HttpResponseMessage> AsyncAsync()
        {
            var request = TestServer.Post("/v1/chat/completions", Encoding.UTF8.GetBytes(TestServer.Chat()));
            request.Headers.Add("Prefer", "respond-async");
            return await server.Client.SendAsync(request);
        }

        static string Numbered(int lines) =>
            string.Join("\n\n", Enumerable.Range(0, lines).Select(i => Line.Replace("\"a\"", $"\"{i}\"", StringComparison.Ordinal)));

        static async Task<string> BusyAsync(HttpResponseMessage response)
        {
            Assert.NotEmpty(response.Headers.GetValues("Retry-After"));
            var error = (await TestServer.JsonAsync(response)).GetProperty("error");
            Assert.Equal((HttpStatusCode.TooManyRequests, "too_many_queued_requests", "rate_limit_error"),
                (response.StatusCode, Text(error, "code"), Text(error, "type")));
            return Text(error, "message");
        }
    }

    [Fact]
    public async Task A_batch_that_runs_is_cancelled()
    {
        FakeInference never = new((_, stop) => Never(stop));
        await using var server = await TestServer.StartAsync(never, new ServeOptions { Grace = TimeSpan.Zero });
        var batch = await OkAsync(await CreateAsync(server, Text(await OkAsync(await UploadAsync(server, Line)), "id")));
        await UntilAsync(server, Text(batch, "id"), now => Text(now, "status") == "in_progress");
        Assert.Equal("cancelling", Text(await OkAsync(await server.Client.PostAsync($"/v1/batches/{Text(batch, "id")}/cancel", null)), "status"));
        batch = await UntilEndedAsync(server, Text(batch, "id"));
        Assert.Equal("cancelled", Text(batch, "status"));
        var line = JsonDocument.Parse(await server.Client.GetStringAsync($"/v1/files/{Text(batch, "error_file_id")}/content")).RootElement;
        Assert.Equal("batch_cancelled", Text(line.GetProperty("error"), "code"));
    }

    [Fact]
    public async Task Keys_see_only_their_own_files_and_batches()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful(), new ServeOptions { ApiKeys = ["one", "two"] });
        server.Client.DefaultRequestHeaders.Authorization = new("Bearer", "one");
        var file = Text(await OkAsync(await UploadAsync(server, Line)), "id");
        var batch = Text(await OkAsync(await CreateAsync(server, file)), "id");
        var output = Text(await UntilEndedAsync(server, batch), "output_file_id");
        server.Client.DefaultRequestHeaders.Authorization = new("Bearer", "two");
        foreach (var one in (string[])[file, output])
        {
            await ErrorAsync(await server.Client.GetAsync($"/v1/files/{one}"), HttpStatusCode.NotFound, "file_not_found");
            await ErrorAsync(await server.Client.GetAsync($"/v1/files/{one}/content"), HttpStatusCode.NotFound, "file_not_found");
            await ErrorAsync(await server.Client.DeleteAsync($"/v1/files/{one}"), HttpStatusCode.NotFound, "file_not_found");
        }

        await ErrorAsync(await CreateAsync(server, file), HttpStatusCode.NotFound, "file_not_found");
        await ErrorAsync(await server.Client.GetAsync($"/v1/batches/{batch}"), HttpStatusCode.NotFound, "batch_not_found");
        await ErrorAsync(await server.Client.PostAsync($"/v1/batches/{batch}/cancel", null), HttpStatusCode.NotFound, "batch_not_found");
        Assert.Empty((await OkAsync(await server.Client.GetAsync("/v1/files"))).GetProperty("data").EnumerateArray());
        Assert.Empty((await OkAsync(await server.Client.GetAsync("/v1/batches"))).GetProperty("data").EnumerateArray());
    }

    [Fact]
    public async Task Files_and_outputs_are_kept_for_as_long_as_they_are_asked_to_be()
    {
        WatchedTime time = new();
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful(), time: time);
        var file = await OkAsync(await UploadAsync(server, Line, expiry: ("created_at", "86400")));
        Assert.Equal(file.GetProperty("created_at").GetInt64() + 86_400, file.GetProperty("expires_at").GetInt64());
        var kept = await OkAsync(await UploadAsync(server, Line));
        Assert.Equal(JsonValueKind.Null, kept.GetProperty("expires_at").ValueKind);
        await ErrorAsync(await UploadAsync(server, Line, expiry: ("created_at", "3599")), HttpStatusCode.BadRequest, "invalid_value");
        await ErrorAsync(await UploadAsync(server, Line, expiry: ("created_at", "1e9")), HttpStatusCode.BadRequest, "invalid_value");
        await ErrorAsync(await UploadAsync(server, Line, expiry: ("last_active_at", "86400")), HttpStatusCode.BadRequest, "invalid_value");
        await ErrorAsync(await UploadAsync(server, Line, expiry: ("created_at", null)), HttpStatusCode.BadRequest, "invalid_value");

        time.Advance(TimeSpan.FromHours(24));
        await ErrorAsync(await server.Client.GetAsync($"/v1/files/{Text(file, "id")}"), HttpStatusCode.NotFound, "file_not_found");
        await ErrorAsync(await CreateAsync(server, Text(file, "id")), HttpStatusCode.NotFound, "file_not_found");
        Assert.Equal(Text(kept, "id"), Text((await OkAsync(await server.Client.GetAsync("/v1/files"))).GetProperty("data")[0], "id"));
    }

    [Fact]
    public async Task Uploads_that_are_wrong_are_refused_and_leave_nothing()
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        await ErrorAsync(await server.PostAsync("/v1/files", "{}"), HttpStatusCode.UnsupportedMediaType, "unsupported_media_type");
        await ErrorAsync(await UploadAsync(server, Line, purpose: "fine-tune"), HttpStatusCode.BadRequest, "invalid_value");
        await ErrorAsync(await UploadAsync(server, Line, purpose: "fine-tune", purposeLast: true), HttpStatusCode.BadRequest, "invalid_value");
        await ErrorAsync(await UploadAsync(server, null), HttpStatusCode.BadRequest, "missing_required_parameter");
        await ErrorAsync(await UploadAsync(server, Line, purpose: null), HttpStatusCode.BadRequest, "missing_required_parameter");
        await ErrorAsync(await UploadAsync(server, Line, unknown: "expires_in"), HttpStatusCode.BadRequest, "unknown_parameter");
        HttpRequestMessage cut =
            new(HttpMethod.Post,
            "/v1/files")
            {
                Content =
            new ByteArrayContent("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc"u8.ToArray())
            };
        cut.Content.Headers.TryAddWithoutValidation("Content-Type", "multipart/form-data; boundary=x");
        await ErrorAsync(await server.Client.SendAsync(cut), HttpStatusCode.BadRequest, "invalid_multipart");
        Assert.Empty((await OkAsync(await server.Client.GetAsync("/v1/files"))).GetProperty("data").EnumerateArray());
        await OkAsync(await UploadAsync(server, Line, purposeLast: true));
    }

    [Theory]
    [InlineData("\"endpoint\":\"/v1/moderations\",\"completion_window\":\"24h\"", "endpoint")]
    [InlineData("\"endpoint\":\"/v1/chat/completions\"", "completion_window")]
    [InlineData("\"endpoint\":\"/v1/chat/completions\",\"completion_window\":\"25h\"", "completion_window")]
    [InlineData("\"endpoint\":\"/v1/chat/completions\",\"completion_window\":\"24h\",\"metadata\":{\"a\":1}", "metadata.a")]
    [InlineData("\"endpoint\":\"/v1/chat/completions\",\"completion_window\":\"24h\",\"metdata\":{}", "metdata")]
    [InlineData(Whole + "\"output_expires_after\":{\"anchor\":\"created_at\"}", "output_expires_after.seconds")]
    [InlineData(Whole + "\"output_expires_after\":{\"anchor\":\"created_at\",\"seconds\":60}", "output_expires_after.seconds")]
    [InlineData(Whole + "\"output_expires_after\":{\"anchor\":\"now\",\"seconds\":86400}", "output_expires_after.anchor")]
    public async Task Batches_that_are_wrong_are_refused(string fields, string param)
    {
        await using var server = await TestServer.StartAsync(FakeInference.Thoughtful());
        var file = Text(await OkAsync(await UploadAsync(server, Line)), "id");
        var refused = await server.PostAsync("/v1/batches", $$"""{"input_file_id":"{{file}}",{{fields}}}""");
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Equal(param, Text((await TestServer.JsonAsync(refused)).GetProperty("error"), "param"));
    }

    private static async IAsyncEnumerable<InferenceEvent> Never([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken stop)
    {
        yield return new InferenceEvent.Admitted(1, FakeInference.Variant);
        await Task.Delay(Timeout.Infinite, stop);
    }

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    private static Task<HttpResponseMessage> CreateAsync(TestServer server, string file, string more = "") => server.PostAsync(
        "/v1/batches", $$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":"24h"{{more}}}""");

    private static async Task<HttpResponseMessage> UploadAsync(TestServer server, string? content, string? purpose = "batch",
        bool purposeLast = false, (string? Anchor, string? Seconds) expiry = default, string? unknown = null)
    {
        using MultipartFormDataContent form = [];
        if (unknown is not null) form.Add(new StringContent("1"), unknown);
        if (purpose is not null && !purposeLast) form.Add(new StringContent(purpose), "purpose");
        if (expiry.Anchor is { } anchor) form.Add(new StringContent(anchor), "expires_after[anchor]");
        if (expiry.Seconds is { } seconds) form.Add(new StringContent(seconds), "expires_after[seconds]");
        if (content is not null) form.Add(new ByteArrayContent(Encoding.UTF8.GetBytes(content)), "file", "in.jsonl");
        if (purpose is not null && purposeLast) form.Add(new StringContent(purpose), "purpose");
        return await server.Client.PostAsync("/v1/files", form);
    }

    private static async Task<JsonElement> OkAsync(HttpResponseMessage response)
    {
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
        return await TestServer.JsonAsync(response);
    }

    private static async Task ErrorAsync(HttpResponseMessage response, HttpStatusCode status, string code)
    {
        Assert.Equal(status, response.StatusCode);
        Assert.Equal(code, Text((await TestServer.JsonAsync(response)).GetProperty("error"), "code"));
    }

    private static Task<JsonElement> UntilEndedAsync(TestServer server, string id) =>
        UntilAsync(server, id, batch => Text(batch, "status") is "completed" or "failed" or "cancelled" or "expired");

    private static async Task<JsonElement> UntilAsync(TestServer server, string id, Func<JsonElement, bool> isSo)
    {
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(60));
        while (true)
        {
            limit.Token.ThrowIfCancellationRequested();
            var batch = await OkAsync(await server.Client.GetAsync($"/v1/batches/{id}"));
            if (isSo(batch)) return batch;
            await Task.Delay(20, limit.Token);
        }
    }
}
