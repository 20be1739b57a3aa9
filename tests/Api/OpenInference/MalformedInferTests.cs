using System.Net;

namespace R1Serverless.Tests.Api.OpenInference;

/// <summary>Requests that are cut, flipped, or lie about their lengths: each is answered, and never with 5xx.</summary>
public sealed class MalformedInferTests
{
    private const int Requests = 3000;

    [Fact]
    public async Task Mutated_requests_are_answered_with_200_or_4xx()
    {
        await using var server = await TensorEcho.StartAsync();
        Random random = new(20261130);
        var refused = 0;
        for (var i = 0; i < Requests; i++)
        {
            var malformed = MalformedRequest.Next(random, (TensorEcho.Model, TensorEcho.Versioned, TensorEcho.Decoder));
            using HttpRequestMessage request = new(HttpMethod.Post, malformed.Path) { Content = new ByteArrayContent(malformed.Body) };
            foreach (var (name, value) in malformed.Headers)
            {
                if (!request.Headers.TryAddWithoutValidation(name, value)) request.Content.Headers.TryAddWithoutValidation(name, value);
            }

            using var response = await server.Client.SendAsync(request);
            var status = (int)response.StatusCode;
            Assert.True(
                status is 200 or (>= 400 and < 500),
                $"{status} for {malformed.Path} {string.Join(", ", malformed.Headers)} {Convert.ToHexString(malformed.Body)}");
            if (response.StatusCode != HttpStatusCode.OK) refused++;
        }

        Assert.InRange(refused, Requests / 4, Requests - 1);
    }
}
