using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;

namespace R1Serverless.Tests.Api.OpenAI;

public sealed class BatchRequestTests
{
    private const string Chat = "/v1/chat/completions";

    [Theory]
    [InlineData("", "invalid_json_line", null)]
    [InlineData("[]", "invalid_json_line", null)]
    [InlineData("{\"custom_id\":\"a\"", "invalid_json_line", null)]
    [InlineData("{\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{}}", "missing_required_parameter", "custom_id")]
    [InlineData("{\"custom_id\":\"\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{}}", "invalid_custom_id", "custom_id")]
    [InlineData("{\"custom_id\":7,\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{}}", "invalid_type", "custom_id")]
    [InlineData("{\"custom_id\":\"a\",\"url\":\"/v1/chat/completions\",\"body\":{}}", "missing_required_parameter", "method")]
    [InlineData("{\"custom_id\":\"a\",\"method\":\"GET\",\"url\":\"/v1/chat/completions\",\"body\":{}}", "invalid_method", "method")]
    [InlineData("{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/completions\",\"body\":{}}", "invalid_url", "url")]
    [InlineData("{\"custom_id\":\"a\",\"method\":\"POST\",\"body\":{}}", "missing_required_parameter", "url")]
    [InlineData("{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\"}", "missing_required_parameter", "body")]
    [InlineData("{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":[]}", "invalid_type", "body")]
    [InlineData("{\"custom_id\":\"a\",\"methd\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{}}", "unknown_parameter", "methd")]
    public void Lines_that_are_none_are_refused(string line, string code, string? param)
    {
        ValidationResult faults = new();
        Assert.Null(Read(line, faults));
        Assert.Equal((code, param), (faults.First!.Code, faults.First.Param));
    }

    [Fact]
    public void A_custom_id_may_have_512_characters()
    {
        Assert.NotNull(Read(Line(new string('x', 512))));
        Assert.Null(Read(Line(new string('x', 513))));
    }

    [Fact]
    public void The_body_is_the_request_itself()
    {
        var read = Read(Line("é"))!;
        Assert.Equal(("é", Chat), (read.CustomId, read.Url));
        var request = read.Request(new RequestId("b-1"), Precision.Int8, new ValidationResult())!;
        Assert.Equal(("b-1", "m", "hi"), (request.Id.Value, request.Model, ((Prompt.Chat)request.Prompt).Messages[0].Content));
        Assert.Equal(Precision.Int8, request.Precision.Named);
    }

    [Theory]
    [InlineData(",\"temperature\":9", "temperature")]
    [InlineData(",\"stream\":true", "stream")]
    [InlineData(",\"tmperature\":1", "tmperature")]
    public void What_is_wrong_in_a_body_is_the_lines_own_error(string more, string param)
    {
        ValidationResult faults = new();
        Assert.Null(Read(Line("a", more))!.Request(new RequestId("b-1"), null, faults));
        Assert.Equal((400, param), (faults.First!.Status, faults.First.Param));
    }

    [Fact]
    public void A_line_may_be_a_request_over_tensors()
    {
        OpenAiBatches api = new(null, TimeProvider.System);
        var line = api.Read(
            """
            {"custom_id":"a","method":"POST","url":"/v2/models/add-one/infer","body":{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2.5]}]}}
            """u8.ToArray(), new RequestId("b-1"));
        Assert.Equal(("add-one", "b-1", null), (line.Model, line.Request?.Id.Value, line.Refusal));
        var input = Assert.Single(Assert.IsType<Prompt.Tensors>(line.Request!.Prompt).Inputs);
        var output = api.Write(line, new InferenceResult
        {
            Id = line.Id, Outcome = RequestOutcome.Finished, Outputs = [input with { Name = "y" }], Usage = new Usage(0, 0, 0),
        });
        using var written = JsonDocument.Parse(output.Json);
        var body = written.RootElement.GetProperty("response").GetProperty("body");
        Assert.Equal("add-one", body.GetProperty("model_name").GetString());
        Assert.Equal("[1,2.5]", body.GetProperty("outputs")[0].GetProperty("data").GetRawText());
    }

    [Theory]
    [InlineData("/v2/models//infer", "url")]
    [InlineData("/v2/models/a/b/infer", "url")]
    [InlineData("/v2/models/a/infer", "inputs")]
    public void What_is_no_such_request_is_said(string url, string param)
    {
        OpenAiBatches api = new(null, TimeProvider.System);
        var line = api.Read(Encoding.UTF8.GetBytes($$$"""{"custom_id":"a","method":"POST","url":"{{{url}}}","body":{}}"""), new RequestId("b-1"));
        using var written = JsonDocument.Parse(line.Refusal!.Value.Json);
        Assert.Equal(param,
            written.RootElement.GetProperty("response").GetProperty("body").GetProperty("error").GetProperty("param").GetString());
    }

    [Theory]
    [InlineData("""{"messages":[]}""", Chat)]
    [InlineData("""{"prompt":"hi"}""", "/v1/completions")]
    public void A_request_that_comes_alone_goes_where_its_fields_belong(string body, string path)
    {
        using var document = JsonDocument.Parse(body);
        Assert.Equal(path, new OpenAiBatches(null, TimeProvider.System).EndpointOf(document.RootElement));
    }

    [Theory]
    [InlineData("24h", 1440)]
    [InlineData("1h", 60)]
    [InlineData("90m", 90)]
    [InlineData("1440m", 1440)]
    [InlineData("25h", null)]
    [InlineData("0m", null)]
    [InlineData("-1h", null)]
    [InlineData("1d", null)]
    [InlineData("h", null)]
    [InlineData("", null)]
    public void Windows_are_hours_or_minutes_up_to_a_day(string text, int? minutes)
    {
        var window = BatchCall.ParseWindow(text);
        Assert.Equal(minutes, (int?)window?.TotalMinutes);
        if (window is { } open) Assert.Equal(open, BatchCall.ParseWindow(BatchCall.WindowText(open)));
    }

    private static BatchRequest? Read(string line, ValidationResult? faults = null)
    {
        faults ??= new ValidationResult();
        var document = BatchRequest.Parse(Encoding.UTF8.GetBytes(line), faults);
        return document is null ? null : BatchRequest.Read(document.RootElement, Chat, faults);
    }

    private static string Line(string id, string more = "") =>
        $$"""{"custom_id":"{{id}}","method":"POST","url":"{{Chat}}","body":"""
        + $$"""{"model":"m","messages":[{"role":"user","content":"hi"}]{{more}}}""" + "}";
}
