using System.Text;

namespace R1Serverless.Tests.Api.OpenInference;

/// <summary>A request to infer that is cut, flipped, nonsense in some of its parts, or lies about its lengths. Few of them happen to be valid.</summary>
/// <param name="Headers">Sent as they are.</param>
internal sealed record MalformedRequest(string Path, byte[] Body, IReadOnlyList<(string Name, string Value)> Headers)
{
    private const string Length = "Inference-Header-Content-Length";

    private static readonly byte[] Json = """
        {"id":"a","parameters":{"binary_data_output":true,"timeout":9000000,"precision":"int8"},"inputs":[
        {"name":"x","datatype":"FP32","shape":[2,2],"data":[[1,2.5e0],[NaN,-Infinity]]},
        {"name":"y","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":11}},
        {"name":"z","datatype":"INT64","shape":[1],"parameters":{"binary_data_size":8}},
        {"data":["\u00e9\ud83d\ude00"],"shape":[1],"datatype":"BYTES","name":"text_input"}],
        "outputs":[{"name":"x","parameters":{"binary_data":false}},{"name":"y"}]}
        """u8.ToArray();

    private static readonly byte[] Binary = [1, 0, 0, 0, 65, 2, 0, 0, 0, 66, 67, 8, 7, 6, 5, 4, 3, 2, 1];

    private static readonly string[] Names =
        ["\"\"", "null", "7", "\"x\"", "\"\\u0000\"", "\"\\ud800\"", "\"🙂\\n\\\"\"", $"\"{new string('n', 1025)}\"", "[]", "{}", "\"../../etc/passwd\""];

    private static readonly string[] Types = ["\"fp32\"", "\"FP31\"", "\"\"", "null", "32", "\"STRING\"", "[\"FP32\"]", "\"INT8\"", "\"BF16\"", "\"BOOL\""];

    private static readonly string[] Shapes =
    [
        "[]", "[-1]", "[0]", "[2147483648,2147483648,2147483648]", "[9223372036854775807]", "[9223372036854775808]", "[1.5]", "[1e0,2]", "[\"2\"]",
        "2", "null", "{}", "[2,2,2]", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "[[2]]", "[true]", "[0,9223372036854775807,9223372036854775807]",
    ];

    private static readonly string[] Contents =
    [
        "\"data\":[]", "\"data\":null", "\"data\":[[[1]]]", "\"data\":[1,\"a\",null,true]", "\"data\":{\"0\":1}", "\"data\":[1e999]", "\"data\":\"AAAA\"",
        "\"data\":[-0,1e-9999,0x1]", "\"parameters\":{\"binary_data_size\":-1}", "\"parameters\":{\"binary_data_size\":1e10}",
        "\"parameters\":{\"binary_data_size\":9223372036854775807}", "\"parameters\":{\"binary_data_size\":\"8\"}",
        "\"parameters\":{\"shared_memory_region\":\"a\"}", "\"data\":[1],\"parameters\":{\"binary_data_size\":4}", "\"data\":[1],\"data\":[2]",
        "\"parameters\":{\"binary_data_size\":3}", "\"parameters\":[]", "\"data\":[[1,2],[3]]", "\"dato\":[1]",
    ];

    private static readonly string[] Parameters =
    [
        "{\"timeout\":-1}", "{\"timeout\":1e30}", "{\"priority\":\"high\"}", "{\"sequence_id\":1}", "{\"precision\":\"int2\"}", "{\"a\":{}}", "[]", "1",
        "{\"binary_data_output\":1}", "{\"max_accuracy_drop\":-5}", "{\"\":null}", "{\"stream\":true}", "{\"max_tokens\":0}",
    ];

    private static readonly string[] Lengths = ["-1", "0", "1e3", "99999999999999999999", "", "0x10", " 5", "5,5", "+7", "3,", "2147483648", "NaN"];

    private static readonly (string, string)[] Others =
    [
        ("Content-Encoding", "gzip"), ("Content-Encoding", "br"), ("Content-Encoding", "zstd"), ("Content-Encoding", "identity, gzip, gzip"),
        ("x-r1-precision", "fp8"), ("x-r1-deadline", "-1"), ("x-r1-deadline", "1e400"), ("Idempotency-Key", new string('k', 2000)),
        ("Content-Type", "text/plain; charset=utf-7"), ("Content-Type", "multipart/form-data"), ("Content-Encoding", ""),
    ];

    /// <summary>The same for the same state of the generator.</summary>
    /// <param name="models">Names of a model of tensors, one with versions, and one of text.</param>
    public static MalformedRequest Next(Random random, (string Tensors, string Versioned, string Text) models)
    {
        var head = random.Next(2) == 0 ? Json : Encoding.UTF8.GetBytes(Composed(random));
        byte[] body = [.. head, .. Binary];
        for (var edits = random.Next(4); edits > 0; edits--) body = Mutate(body, random);
        List<(string, string)> headers = [];
        if (random.Next(10) > 0)
            headers.Add((Length, random.Next(8) == 0 ? Lengths[random.Next(Lengths.Length)]
                : $"{head.Length + (random.Next(4) == 0 ? random.Next(-20, 20) : 0)}"));
        if (random.Next(12) == 0) headers.Add(Others[random.Next(Others.Length)]);
        return new MalformedRequest(PathOf(random, models), body, headers);
    }

    /// <summary>The bytes that HTTP 1.1 sends for it, its head cut and flipped too.</summary>
    public byte[] ToHttp(Random random)
    {
        StringBuilder head = new($"POST {Path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        foreach (var (name, value) in Headers) head.Append(name).Append(": ").Append(value).Append("\r\n");
        head.Append("Content-Length: ").Append(random.Next(3) == 0 ? Lengths[random.Next(Lengths.Length)] : $"{Body.Length}").Append("\r\n\r\n");
        var bytes = Encoding.UTF8.GetBytes(head.ToString());
        for (var edits = random.Next(3); edits > 0; edits--) bytes = Mutate(bytes, random);
        return [.. bytes, .. Body];
    }

    private static string PathOf(Random random, (string Tensors, string Versioned, string Text) models) => random.Next(12) switch
    {
        0 or 1 => $"/v2/models/{models.Text}/infer",
        2 => $"/v2/models/{models.Versioned}/versions/v7/infer",
        3 => "/v2/models/%2e%2e%2f/versions/%00/infer",
        4 => $"/v2/models/{(random.Next(2) == 0 ? new string('m', 600) : "%F0%9F%99%82%ff")}/infer",
        _ => $"/v2/models/{models.Tensors}/infer",
    };

    /// <summary>JSON whose parts are each right or nonsense.</summary>
    private static string Composed(Random random)
    {
        string[] inputs =
        [
            Input("\"x\"", "\"FP32\"", "[2,2]", "\"data\":[1,2,3,4]"), Input("\"y\"", "\"BYTES\"", "[2]", "\"parameters\":{\"binary_data_size\":11}"),
            Input("\"z\"", "\"INT64\"", "[1]", "\"parameters\":{\"binary_data_size\":8}"), Input("\"text_input\"", "\"BYTES\"", "[1]", "\"data\":[\"a\"]"),
        ];
        var some = inputs.Take(Odd() ? random.Next(5) : 4).Concat(random.Next(40) == 0 ? Enumerable.Repeat(inputs[0], 300) : []);
        return $"{{\"id\":{(Odd() ? Pick(Names) : "\"7\"")},\"parameters\":{(Odd() ? Pick(Parameters) : "{}")},\"inputs\":[{string.Join(',', some)}],"
            + $"\"outputs\":[{{\"name\":{(Odd() ? Pick(Names) : "\"x\"")}{(Odd() ? ",\"parameters\":{\"binary_data\":2}" : "")}}}]}}";

        string Input(string name, string type, string shape, string content) =>
            $"{{\"name\":{(Odd() ? Pick(Names) : name)},\"datatype\":{(Odd() ? Pick(Types) : type)},\"shape\":{(Odd() ? Pick(Shapes) : shape)},"
            + $"{(Odd() ? Pick(Contents) : content)}}}";

        bool Odd() => random.Next(10) == 0;

        string Pick(string[] all) => all[random.Next(all.Length)];
    }

    /// <summary>Cut, flipped, with bytes left out, moved or put in.</summary>
    internal static byte[] Mutate(byte[] body, Random random)
    {
        if (body.Length == 0) return body;
        var at = random.Next(body.Length);
        switch (random.Next(5))
        {
            case 0:
                return body[..at];
            case 1:
                body[at] = (byte)random.Next(256);
                return body;
            case 2:
                return [.. body[..at], .. body[Math.Min(body.Length, at + 1 + random.Next(9))..]];
            case 3:
                return [.. body[..at], .. body[random.Next(body.Length)..]];
            default:
                return [.. body[..at], .. "[{\"9-e,}]:0"u8.ToArray().AsSpan(random.Next(10)), .. body[at..]];
        }
    }
}
