using System.Net;

namespace R1Serverless.Tests.Api.OpenInference;

/// <summary>Requests that are cut, flipped, or lie about their lengths: each is answered, and never with 5xx.</summary>
public sealed class MalformedInferTests
{
    private const int Requests = 3000;

    private static readonly byte[] Json = """
        {"id":"a","parameters":{"binary_data_output":true,"timeout":9000000,"precision":"int8"},"inputs":[
        {"name":"x","datatype":"FP32","shape":[2,2],"data":[[1,2.5e0],[NaN,-Infinity]]},
        {"name":"y","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":11}},
        {"name":"z","datatype":"INT64","shape":[1],"parameters":{"binary_data_size":8}},
        {"data":["\u00e9\ud83d\ude00"],"shape":[1],"datatype":"BYTES","name":"text_input"}],
        "outputs":[{"name":"x","parameters":{"binary_data":false}},{"name":"y"}]}
        """u8.ToArray();

    private static readonly byte[] Binary = [1, 0, 0, 0, 65, 2, 0, 0, 0, 66, 67, 8, 7, 6, 5, 4, 3, 2, 1];

    [Fact]
    public async Task Mutated_requests_are_answered_with_200_or_4xx()
    {
        await using var server = await TensorEcho.StartAsync();
        Random random = new(20261130);
        var refused = 0;
        for (var i = 0; i < Requests; i++)
        {
            byte[] body = [.. Json, .. Binary];
            var length = Json.Length;
            for (var edits = random.Next(4); edits > 0; edits--) body = Mutate(body, random);
            if (random.Next(4) == 0) length += random.Next(-20, 20);
            using HttpRequestMessage request = new(HttpMethod.Post, Path(random)) { Content = new ByteArrayContent(body) };
            if (random.Next(10) > 0) request.Headers.Add("Inference-Header-Content-Length", $"{length}");
            using var response = await server.Client.SendAsync(request);
            var status = (int)response.StatusCode;
            Assert.True(status is 200 or (>= 400 and < 500), $"{status} for {Convert.ToHexString(body)}, {length}");
            if (response.StatusCode != HttpStatusCode.OK) refused++;
        }

        Assert.InRange(refused, Requests / 4, Requests - 1);
    }

    private static string Path(Random random) => random.Next(8) switch
    {
        0 => "/v2/models/decoder/infer",
        1 => "/v2/models/versioned/versions/v7/infer",
        2 => "/v2/models/%2e%2e%2f/versions/%00/infer",
        _ => "/v2/models/echo/infer",
    };

    private static byte[] Mutate(byte[] body, Random random)
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
