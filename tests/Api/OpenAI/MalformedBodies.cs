namespace R1Serverless.Tests.Api.OpenAI;

/// <summary>Bodies that must be refused, each with the <c>param</c> that the error must name (null where none is to blame).</summary>
internal static class MalformedBodies
{
    private static readonly string[] NotStrings = ["1", "1.5", "true", "[]", "{}"];
    private static readonly string[] NotNumbers = ["\"1\"", "true", "[]", "{}", "[1]"];
    private static readonly string[] NotFlags = ["1", "0", "\"true\"", "[]", "{}"];

    private static readonly string[] NotJson =
    [
        "", " ", "{", "}", "[", "]", "{}{}", "nul", "null", "true", "1", "\"text\"", "[]", "[{}]", "{\"model\"}", "{\"model\":}",
            "{\"model\":\"m\",}", "{model:\"m\"}",
        "{'model':'m'}", "{\"model\":\"m\" \"n\":1}", "{\"n\":01}", "{\"n\":+1}", "{\"n\":.5}", "{\"n\":1.}", "{\"n\":NaN}", "{\"n\":Infinity}",
            "{\"n\":0x10}", "{\"a\":\"\t\"}",
        "{\"a\":\"\\x\"}", "{\"a\":\"\\u12\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\udc00\\ud800\"}", "{\"\\ud800\":1}", "// comment\n{}", "{/* */}",
            "\u0000", "{\"a\":tru}",
        "\uFEFF{}", new string('[', 100_000), new string('{', 1000), string.Concat(Enumerable.Repeat("{\"a\":", 500)),
        $"{{\"metadata\":{new string('[', 40)}{new string(']', 40)}}}", "--boundary\r\nContent-Disposition: form-data", "model=r1&prompt=hi",
            "<xml/>",
    ];

    /// <summary>Bytes that are no UTF-8, or cut off in the middle.</summary>
    public static IEnumerable<byte[]> NotText =>
    [
        [0xFF, 0xFE], [0x7B, 0x22, 0xC3, 0x28, 0x22, 0x3A, 0x31, 0x7D], [0x80], [0xED, 0xA0, 0x80], [.. "{\"model\":\""u8, 0xE6, 0x80],
            [.. "{\"model\":\""u8, 0xC0, 0xAF, .. "\"}"u8],
    ];

    public static IEnumerable<(string Path, string Body, string? Param)> All =>
    [
        .. NotJson.SelectMany(body => Both.Select(path => (path, body, (string?)null))),
        .. Fields("temperature", ["-0.1", "2.1", "1e999", "-1e999", "2.0000001", .. NotNumbers]),
        .. Fields("top_p", ["-0.1", "-1", "1.01", .. NotNumbers]),
        .. Fields("top_k", ["-2", "1.5", "99999999999", "1e400", .. NotNumbers]),
        .. Fields("min_p", ["-0.1", "1.1", .. NotNumbers]),
        .. Fields("frequency_penalty", ["-2.1", "2.1", .. NotNumbers]),
        .. Fields("presence_penalty", ["-3", "3", .. NotNumbers]),
        .. Fields("seed", ["1.5", "9223372036854775808", "1e30", .. NotNumbers]),
        .. Fields("n", ["0", "-1", "17", "1.5", .. NotNumbers]),
        .. Fields("max_tokens", ["0", "-1", "2147483648", "10.5", .. NotNumbers]),
        .. Fields("precision", ["\"FP32\"", "\"int7\"", "\"\"", "\" int8\"", "\"fp32,fp16\"", .. NotStrings]),
        .. Fields("max_accuracy_drop", ["-0.1", "100.1", "1e999", .. NotNumbers]),
        .. Fields("stream", [.. NotFlags]),
        .. Fields("ignore_eos", [.. NotFlags]),
        .. Fields("stop",
            ["1", "true", "{}", "[\"a\",\"b\",\"c\",\"d\",\"e\"]", ("[\"\"]", "stop[0]"), ("\"\"", "stop"), ("[\"a\",1]", "stop[1]"),
            ("[null]", "stop[0]"), ("[[]]", "stop[0]")]),
        .. Fields("logit_bias",
        [
            "1", "[]", "\"x\"", ("{\"x\":1}", "logit_bias.x"), ("{\"1\":101}", "logit_bias.1"), ("{\"1\":-100.5}", "logit_bias.1"),
                ("{\"1\":\"5\"}", "logit_bias.1"),
            ("{\"-1\":1}", "logit_bias.-1"), ("{\"1.5\":1}", "logit_bias.1.5"), ("{\"99999999999\":1}", "logit_bias.99999999999"),
                ("{\"\":1}", "logit_bias."),
            $"{{{string.Join(',', Enumerable.Range(0, 1025).Select(token => $"\"{token}\":1"))}}}",
        ]),
        .. Fields("stream_options", ["1", "[]", "true", "{}", ("{\"include_usage\":1}", null), ("{\"usage\":true}", "stream_options.usage")]),
        .. Fields("response_format", ["\"text\"", "{\"type\":\"json_object\"}", "{\"type\":\"json_schema\",\"json_schema\":{}}", "1", "{}"]),
        .. Chat("best_of", ["2", "\"1\""]),
        .. Chat("echo", ["true", "1"]),
        .. Completion("best_of", ["0", "17", "1.5", "\"1\"", "2,\"stream\":true", "2,\"n\":3"]),
        .. Completion("echo", ["1", "true,\"logprobs\":1"]),
        .. Completion("prompt", [$"[{string.Join(',', Enumerable.Repeat("\"a\"", 90))}],\"n\":3"]),
        .. Fields("cache_salt", ["\"\"", "7", $"\"{new string('s', 1025)}\""]),
        .. Fields("repetition_penalty", ["0", "2.1", "\"1\""]),
        .. Fields("min_tokens", ["1"]),
        .. Fields("guided_json", ["{}"]),
        .. Fields("temprature", ["1"]),
        .. Fields("x", ["1"]),
        .. Fields("model", ["null", "\"\"", .. NotStrings], only: "model"),
        .. Chat("top_logprobs", ["-1", "21", "1", .. NotNumbers]),
        .. Chat("logprobs", ["1", "\"true\"", "[]"]),
        .. Chat("max_completion_tokens", ["0", "-5", .. NotNumbers]),
        .. Chat("tools", ["[{}]", "{}", "[{\"type\":\"function\"}]"]),
        .. Chat("tool_choice", ["\"auto\"", "\"required\"", "{}"]),
        .. Chat("functions", ["[{}]"]),
        .. Chat("function_call", ["\"auto\""]),
        .. Chat("audio", ["{}"]),
        .. Chat("modalities", ["[\"text\",\"audio\"]", "\"text\"", "[1]"]),
        .. Chat("prediction", ["{}"]),
        .. Chat("web_search_options", ["{}"]),
        .. Chat("reasoning_effort", ["\"off\"", "\"\"", .. NotStrings]),
        .. Chat("chat_template_kwargs",
        [
            "1", "[]", "\"x\"", "true", ("{\"messages\":[]}", "chat_template_kwargs.messages"),
                ("{\"a\":1,\"tools\":null}", "chat_template_kwargs.tools"),
            $"{{\"a\":\"{new string('x', 17_000)}\"}}",
        ]),
        .. Chat("chat_template", ["\"x\""]),
        .. Chat("prompt", ["\"hi\""]),
        .. Messages("null", "messages"), .. Messages("[]", "messages"), .. Messages("{}", "messages"), .. Messages("\"hi\"", "messages"),
            .. Messages("7", "messages"),
        .. Messages("[1]", "messages[0]"), .. Messages("[null]", "messages[0]"), .. Messages("[[]]", "messages[0]"),
            .. Messages("[\"hi\"]", "messages[0]"),
        .. Messages("[{}]", "messages[0].role"), .. Messages("[{\"role\":\"user\"}]", "messages[0].content"),
            .. Messages("[{\"content\":\"x\"}]", "messages[0].role"),
        .. Messages("[{\"role\":\"tool\",\"content\":\"x\"}]", "messages[0].role"),
            .. Messages("[{\"role\":\"User\",\"content\":\"x\"}]", "messages[0].role"),
        .. Messages("[{\"role\":1,\"content\":\"x\"}]", "messages[0].role"), .. Messages("[{\"role\":null,\"content\":\"x\"}]", "messages[0].role"),
        .. Messages("[{\"role\":\"user\",\"content\":1}]", "messages[0].content"),
            .. Messages("[{\"role\":\"user\",\"content\":{}}]", "messages[0].content"),
        .. Messages("[{\"role\":\"assistant\",\"content\":null}]", "messages[0].content"),
        .. Messages("[{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"user\",\"content\":\"x\"},{\"role\":\"user\",\"content\":true}]",
            "messages[2].content"),
        .. Messages("[{\"role\":\"user\",\"content\":[1]}]", "messages[0].content[0]"),
        .. Messages("[{\"role\":\"user\",\"content\":[{}]}]", "messages[0].content[0].type"),
        .. Messages("[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]", "messages[0].content[0].text"),
        .. Messages("[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":1}]}]", "messages[0].content[0].text"),
        .. Messages("[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image_url\",\"image_url\":{}}]}]",
            "messages[0].content[1].type"),
        .. Messages("[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}]", "messages[0].content[0].type"),
        .. Messages("[{\"role\":\"user\",\"content\":\"x\",\"contents\":\"x\"}]", "messages[0].contents"),
        .. Messages("[{\"role\":\"assistant\",\"content\":\"x\",\"tool_calls\":[{}]}]", "messages[0].tool_calls"),
        .. Prompts("null", "prompt"), .. Prompts("\"\"", "prompt"), .. Prompts("[]", "prompt"), .. Prompts("{}", "prompt"),
            .. Prompts("1", "prompt"), .. Prompts("true", "prompt"),
        .. Prompts("[\"a\",\"\"]", "prompt[1]"), .. Prompts("[[1],[-2]]", "prompt[1][0]"), .. Prompts("[\"a\",2]", "prompt[1]"),
        .. Prompts($"[{string.Join(',', Enumerable.Repeat("\"a\"", 257))}]", "prompt"), .. Prompts("[null]", "prompt[0]"),
            .. Prompts("[{}]", "prompt[0]"),
            .. Prompts("[\"\"]", "prompt[0]"),
        .. Prompts("[[]]", "prompt[0]"), .. Prompts("[[\"a\"]]", "prompt[0][0]"), .. Prompts("[1,\"a\"]", "prompt[1]"),
            .. Prompts("[1,-2]", "prompt[1]"),
        .. Prompts("[1.5]", "prompt[0]"), .. Prompts("[99999999999]", "prompt[0]"), .. Prompts("[[1,null]]", "prompt[0][1]"),
        .. Completion("logprobs", ["-1", "21", "true", "\"5\"", "1.5"]),
        .. Completion("suffix", ["\"end\"", "1"]),
        .. Completion("messages", ["[]"]),
        .. Completion("top_logprobs", ["1"]),
    ];

    private static string[] Both => ["/v1/chat/completions", "/v1/completions"];

    private static IEnumerable<(string Path, string Body, string? Param)> Fields(string name, Wrong[] values, string? only = null) =>
        Both.SelectMany(
        path => values.Select(value => (path, Body(path, name, value.Json, replaceModel: only == "model"), value.Param is "" ? name : value.Param)));

    private static IEnumerable<(string Path, string Body, string? Param)> Chat(string name, Wrong[] values) =>
        Fields(name, values).Where(one => one.Path == "/v1/chat/completions");

    private static IEnumerable<(string Path, string Body, string? Param)> Completion(string name, Wrong[] values) =>
        Fields(name, values).Where(one => one.Path == "/v1/completions");

    private static IEnumerable<(string Path, string Body, string? Param)> Messages(string json, string param) =>
        [("/v1/chat/completions", $"{{\"model\":\"r1-test\",\"messages\":{json}}}", param)];

    private static IEnumerable<(string Path, string Body, string? Param)> Prompts(string json, string param) =>
        [("/v1/completions", $"{{\"model\":\"r1-test\",\"prompt\":{json}}}", param)];

    private static string Body(string path, string name, string json, bool replaceModel)
    {
        var ask = path == "/v1/completions" ? "\"prompt\":\"hi\"" : "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]";
        return replaceModel ? $"{{\"{name}\":{json},{ask}}}" : $"{{\"model\":\"r1-test\",{ask},\"{name}\":{json}}}";
    }

    /// <summary>A wrong value and the field to blame; an empty name means the field itself, null any.</summary>
    private sealed record Wrong(string Json, string? Param)
    {
        public static implicit operator Wrong(string json) => new(json, "");

        public static implicit operator Wrong((string Json, string? Param) pair) => new(pair.Json, pair.Param);
    }
}
