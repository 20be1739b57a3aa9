using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Tests.Benchmarks;

/// <summary>A client of the Open Inference Protocol with binary data both ways.</summary>
internal sealed class TensorClient(HttpClient client, string model)
{
    private const string Length = "Inference-Header-Content-Length";

    /// <summary>Made before: a client shares the cores with the server.</summary>
    private readonly ConditionalWeakTable<IReadOnlyList<Tensor>, TensorBody> _bodies = [];

    public async Task AskAsync(IReadOnlyList<Tensor> inputs, CancellationToken stop)
    {
        var body = _bodies.GetValue(inputs, TensorBody.Of);
        using HttpRequestMessage request = new(HttpMethod.Post, $"/v2/models/{model}/infer") { Content = new ByteArrayContent(body.Bytes) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        request.Content.Headers.Add(Length, body.JsonLength);
        using var response = await client.SendAsync(request, stop);
        var answer = await response.Content.ReadAsByteArrayAsync(stop);
        if (!response.IsSuccessStatusCode) throw new InvalidOperationException(Encoding.UTF8.GetString(answer));
    }

    /// <summary>Milliseconds of requests that are sent at this rate, whether or not earlier ones are answered.</summary>
    public static async Task<IReadOnlyList<double>> LatenciesAsync(Func<CancellationToken, Task> askAsync, double rate, TimeSpan duration,
        CancellationToken stop)
    {
        List<Task<double>> asked = [];
        using PeriodicTimer timer = new(TimeSpan.FromMilliseconds(1));
        var began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) < duration && await timer.WaitForNextTickAsync(stop))
        {
            while (asked.Count < Stopwatch.GetElapsedTime(began).TotalSeconds * rate) asked.Add(TimeAsync());
        }

        return await Task.WhenAll(asked);

        async Task<double> TimeAsync()
        {
            var sent = Stopwatch.GetTimestamp();
            await askAsync(stop);
            return Stopwatch.GetElapsedTime(sent).TotalMilliseconds;
        }
    }

    private sealed record TensorBody(byte[] Bytes, string JsonLength)
    {
        public static TensorBody Of(IReadOnlyList<Tensor> inputs)
        {
            var list = string.Join(',', inputs.Select(input =>
                $"{{\"name\":\"{input.Name}\",\"datatype\":\"{TensorTypes.Name(input.Type)}\",\"shape\":[{string.Join(',', input.Shape)}],"
                + $"\"parameters\":{{\"binary_data_size\":{input.Data.Length}}}}}"));
            var header = Encoding.UTF8.GetBytes($"{{\"inputs\":[{list}],\"parameters\":{{\"binary_data_output\":true}}}}");
            byte[] data = [.. inputs.SelectMany(input => input.Data.ToArray())];
            return new TensorBody([.. header, .. data], header.Length.ToString(CultureInfo.InvariantCulture));
        }
    }
}
